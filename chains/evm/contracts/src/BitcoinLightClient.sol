// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IBitcoinLightClient} from "./IBitcoinLightClient.sol";
import {BitcoinTransactions} from "./BitcoinTransactions.sol";

/// @title Bitcoin's best chain by its headers; see IBitcoinLightClient
/// @dev A header: version at 0, previous hash at 4, Merkle root at 36, timestamp at 68, bits at 72, nonce at 76; numbers
/// little-endian. `cursor` is always a place in the call data.
contract BitcoinLightClient is IBitcoinLightClient {
    uint256 private constant HEADER = 80;
    uint256 private constant PREVIOUS_AT = 4;
    uint256 private constant ROOT_AT = 36;
    uint256 private constant NUMBERS_AT = 48; // the word that ends in timestamp, bits and nonce

    uint256 private constant EPOCH = 2016; // blocks between two retargets
    uint256 private constant EPOCH_SECONDS = 14 days;
    uint256 private constant CLAMP = 4; // a retarget changes the target at most so many times
    uint256 private constant MEDIAN_SPAN = 11;
    uint256 private constant MAX_AHEAD = 2 hours;
    uint256 private constant MIN_DIFFICULTY_AFTER = 20 minutes;
    uint32 private constant MAINNET_LIMIT = 0x1d00ffff;
    uint256 private constant SHA256 = 2; // precompile
    uint256 private constant MAX_PATH = 32; // a block has fewer than 2^32 transactions

    uint256 private immutable LIMIT_BITS;
    uint256 private immutable LIMIT;
    uint256 private immutable MAX_WARP;
    bool private immutable FROM_FIRST;
    bool private immutable MIN_DIFFICULTY;
    bool private immutable NO_RETARGET;

    /// @inheritdoc IBitcoinLightClient
    bool public immutable insecure;
    /// @inheritdoc IBitcoinLightClient
    bytes32 public tip;
    mapping(bytes32 hash => Checkpoint) private checkpoints;

    /// @dev Where a walk over headers stands: what the last one left behind for the next.
    struct Walk {
        uint256 height;
        uint256 work;
        uint256 epochTime;
        uint256 epochBits;
        uint256 bits;
        uint256 target; // of `bits`
        uint256 blockWork; // of `bits`
        uint256 time;
        uint256 latest; // no timestamp of the last eleven is above it
        bytes32 hash;
    }

    /// @param permitInsecure must be set for a network whose blocks can be made at will
    constructor(Network memory network_, Anchor memory anchor, bool permitInsecure) {
        uint256 limit = _target(network_.limitBits);
        (LIMIT_BITS, LIMIT, MAX_WARP) = (network_.limitBits, limit, network_.maxWarp);
        (FROM_FIRST, MIN_DIFFICULTY, NO_RETARGET) = (network_.fromFirst, network_.minDifficulty, network_.noRetarget);
        insecure = network_.minDifficulty || network_.noRetarget || limit > _target(MAINNET_LIMIT);
        if (insecure && !permitInsecure) revert InsecureNetwork();
        bytes32 hash = sha256(abi.encodePacked(sha256(anchor.header)));
        _checkAnchor(network_, anchor, hash, limit);
        tip = hash;
        checkpoints[hash] = Checkpoint(0, anchor.height, anchor.work, anchor.epochTime, anchor.epochBits, 0, 0);
        emit Extended(hash, anchor.height, anchor.work);
    }

    // --- headers -------------------------------------------------------------------------------------------

    /// @inheritdoc IBitcoinLightClient
    function submit(uint256 known, bytes calldata headers) external returns (bytes32 end) {
        uint256 first;
        assembly ("memory-safe") {
            first := headers.offset
        }
        if (headers.length % HEADER != 0 || known == 0 || known >= headers.length / HEADER) {
            revert BadBatch(headers.length, known);
        }
        unchecked {
            uint256 stop = first + headers.length;
            end = _hash(stop - HEADER);
            if (checkpoints[end].work != 0) return end; // somebody was faster: what was to be done is done
            uint256 next = first + known * HEADER;
            Walk memory walk = _begin(first, next);
            (bytes32 parent, bytes32 best) = (walk.hash, tip);
            bytes32 previous = parent;
            for (; next != stop; next += HEADER) {
                _step(walk, first, next);
                if (walk.hash == best) previous = best;
            }
            _store(walk, previous, best);
        }
    }

    /// @dev The known headers: each follows from the one before it, and the last is a checkpoint.
    function _begin(uint256 first, uint256 next) private view returns (Walk memory walk) {
        unchecked {
            bytes32 hash = _hash(first);
            uint256 time = _swap32(_numbers(first) >> 64);
            uint256 latest_ = time;
            for (uint256 cursor = first + HEADER; cursor != next; cursor += HEADER) {
                if (_word(cursor + PREVIOUS_AT) != hash) revert Unlinked((cursor - first) / HEADER);
                hash = _hash(cursor);
                time = _swap32(_numbers(cursor) >> 64);
                if (time > latest_) latest_ = time;
            }
            Checkpoint storage from = checkpoints[hash];
            (walk.height, walk.work, walk.epochTime, walk.epochBits) =
            (from.height, from.work, from.epochTime, from.epochBits);
            if (walk.work == 0) revert UnknownParent(hash);
            uint256 known = (next - first) / HEADER;
            uint256 needed = walk.height < MEDIAN_SPAN ? walk.height + 1 : MEDIAN_SPAN;
            if (known != needed) revert BadContext(known, needed);
            (walk.time, walk.latest, walk.hash) = (time, latest_, hash);
            _setBits(walk, _swap32(_numbers(next - HEADER) >> 32));
        }
    }

    /// @dev One header: every rule that a header alone can be judged by.
    function _step(Walk memory walk, uint256 first, uint256 cursor) private view {
        unchecked {
            if (_word(cursor + PREVIOUS_AT) != walk.hash) revert Unlinked((cursor - first) / HEADER);
            uint256 height = ++walk.height;
            uint256 numbers = _numbers(cursor);
            uint256 time = _swap32(numbers >> 64);
            uint256 bits = _swap32(numbers >> 32);
            uint256 expected = walk.epochBits;
            if (height % EPOCH == 0) {
                if (MAX_WARP != 0 && time + MAX_WARP < walk.time) revert TimeWarp(height, time);
                expected = _retarget(walk);
                (walk.epochTime, walk.epochBits) = (time, expected);
            } else if (MIN_DIFFICULTY && time > walk.time + MIN_DIFFICULTY_AFTER) {
                expected = LIMIT_BITS;
            }
            if (bits != expected) revert WrongTarget(height, uint32(bits), uint32(expected));
            if (bits != walk.bits) _setBits(walk, bits);
            if (time > walk.latest) walk.latest = time; // above all, so above the median
            else _checkMedian(height, cursor, time);
            if (time > block.timestamp + MAX_AHEAD) revert TooFarAhead(height, time);
            bytes32 hash = _hash(cursor);
            if (_swap256(uint256(hash)) > walk.target) revert InsufficientWork(height, hash);
            (walk.time, walk.hash) = (time, hash);
            walk.work += walk.blockWork; // a sum of work that was done: far from 256 bits
        }
    }

    function _store(Walk memory walk, bytes32 previous, bytes32 best) private {
        if (walk.work > type(uint128).max) revert WorkOverflow();
        uint32 height = uint32(walk.height);
        uint128 work = uint128(walk.work);
        Checkpoint storage made = checkpoints[walk.hash];
        (made.previous, made.height, made.work) = (previous, height, work);
        (made.epochTime, made.epochBits) = (uint32(walk.epochTime), uint32(walk.epochBits));
        _link(made, previous);
        if (work <= checkpoints[best].work) {
            emit Forked(walk.hash, height, work);
            return;
        }
        tip = walk.hash;
        if (previous == best) emit Extended(walk.hash, height, work);
        else emit Reorganised(best, walk.hash, height, work);
    }

    /// @dev Where to jump to is found by jumps: from 7 over 6 and 4 to 0 for 8. On average that is one step.
    function _link(Checkpoint storage made, bytes32 previous) private {
        unchecked {
            uint256 from = checkpoints[previous].ordinal;
            uint256 ordinal = from + 1;
            made.ordinal = uint32(ordinal);
            if (ordinal & 1 == 1) return; // its jump is `previous`
            bytes32 jump = previous;
            uint256 aim = ordinal & (ordinal - 1);
            while (from != aim) {
                jump = from & 1 == 1 ? checkpoints[jump].previous : checkpoints[jump].jump;
                from &= from - 1;
            }
            made.jump = jump;
        }
    }

    /// @dev The next epoch's bits. Bitcoin measures from the epoch's first block to its last, so 2015 intervals.
    function _retarget(Walk memory walk) private view returns (uint256) {
        if (NO_RETARGET) return walk.epochBits;
        uint256 least = EPOCH_SECONDS / CLAMP;
        uint256 span = walk.time > walk.epochTime ? walk.time - walk.epochTime : 0;
        if (span < least) span = least;
        if (span > EPOCH_SECONDS * CLAMP) span = EPOCH_SECONDS * CLAMP;
        uint256 target = FROM_FIRST ? _target(uint32(walk.epochBits)) : walk.target;
        unchecked {
            // target * span / EPOCH_SECONDS, exact, without a product of more than 256 bits
            uint256 whole = target / EPOCH_SECONDS;
            if (whole > type(uint256).max / (span + 1)) return LIMIT_BITS;
            target = whole * span + target % EPOCH_SECONDS * span / EPOCH_SECONDS;
        }
        return target > LIMIT ? LIMIT_BITS : _bits(target);
    }

    /// @dev A time above the median of n times is above the (n / 2 + 1)th smallest of them.
    function _checkMedian(uint256 height, uint256 cursor, uint256 time) private pure {
        unchecked {
            uint256 span = height < MEDIAN_SPAN ? height : MEDIAN_SPAN;
            uint256 below = 0;
            for (uint256 i = 1; i <= span; ++i) {
                if (_swap32(_numbers(cursor - i * HEADER) >> 64) < time) ++below;
            }
            if (below <= span / 2) revert NotAfterMedian(height, time);
        }
    }

    function _setBits(Walk memory walk, uint256 bits) private pure {
        uint256 target = _target(uint32(bits));
        (walk.bits, walk.target) = (bits, target);
        unchecked {
            walk.blockWork = ~target / (target + 1) + 1; // 2^256 / (target + 1)
        }
    }

    /// @dev What the fields say of each other. Where the target does not change within an epoch, its first block's is known.
    function _checkAnchor(Network memory network_, Anchor memory anchor, bytes32 hash, uint256 limit) private pure {
        if (anchor.header.length != HEADER || anchor.work == 0) revert BadAnchor();
        bytes memory header = anchor.header;
        uint256 numbers;
        assembly ("memory-safe") {
            numbers := mload(add(header, 80)) // 32 of length, and NUMBERS_AT
        }
        uint32 bits = uint32(_swap32(numbers >> 32));
        if (!network_.minDifficulty && anchor.epochBits != bits) revert BadAnchor();
        if (anchor.height % EPOCH == 0) {
            if (anchor.epochBits != bits || anchor.epochTime != _swap32(numbers >> 64)) revert BadAnchor();
        }
        uint256 target = _target(bits);
        if (target > limit || _target(anchor.epochBits) > limit) revert BadAnchor();
        if (_swap256(uint256(hash)) > target) revert BadAnchor();
    }

    // --- what is known -------------------------------------------------------------------------------------

    /// @inheritdoc IBitcoinLightClient
    function checkpoint(bytes32 hash) external view returns (Checkpoint memory) {
        return checkpoints[hash];
    }

    /// @inheritdoc IBitcoinLightClient
    function latest(uint256 count) external view returns (bytes32[] memory hashes) {
        bytes32 hash = tip;
        uint256 found = 0;
        hashes = new bytes32[](count);
        while (found < count && hash != 0) {
            hashes[found++] = hash;
            hash = checkpoints[hash].previous;
        }
        assembly ("memory-safe") {
            mstore(hashes, found)
        }
    }

    /// @inheritdoc IBitcoinLightClient
    function network() external view returns (Network memory) {
        return Network(uint32(LIMIT_BITS), uint32(MAX_WARP), FROM_FIRST, MIN_DIFFICULTY, NO_RETARGET);
    }

    /// @inheritdoc IBitcoinLightClient
    function confirmations(bytes32 hash, uint256 height) public view returns (uint256) {
        Checkpoint storage asked = checkpoints[hash];
        bytes32 best = tip;
        (uint256 ordinal, uint256 aim) = (checkpoints[best].ordinal, asked.ordinal);
        if (asked.work == 0 || height > asked.height) return 0;
        unchecked {
            uint256 top = checkpoints[best].height;
            while (ordinal > aim) {
                uint256 jump = ordinal & (ordinal - 1);
                if (ordinal & 1 == 0 && jump >= aim) (best, ordinal) = (checkpoints[best].jump, jump);
                else (best, ordinal) = (checkpoints[best].previous, ordinal - 1);
            }
            return best == hash ? top - height + 1 : 0;
        }
    }

    // --- proofs --------------------------------------------------------------------------------------------

    /// @inheritdoc IBitcoinLightClient
    function proveTransaction(bytes calldata transaction, Inclusion calldata proof, uint256 depth)
        public
        view
        returns (Place memory place)
    {
        if (transaction.length == 64) revert SixtyFourBytes();
        bytes calldata headers = proof.headers;
        (place.blockHash, place.checkpoint, place.height, place.confirmations) = _place(headers);
        if (place.confirmations < depth) revert TooShallow(place.confirmations, depth);
        bytes32 root = bytes32(headers[ROOT_AT:ROOT_AT + 32]);
        place.txid = _twice(transaction);
        if (proof.path.length > MAX_PATH || proof.index >> proof.path.length != 0) {
            revert IndexOutOfRange(proof.index);
        }
        if (_root(place.txid, proof.index, proof.path) != root) revert WrongPath(place.txid);
        _checkCoinbase(proof, root);
    }

    /// @inheritdoc IBitcoinLightClient
    function proveOutput(
        bytes calldata transaction,
        uint256 output,
        bytes calldata script,
        uint256 least,
        Inclusion calldata proof,
        uint256 depth
    ) external view returns (Place memory place, uint256 paid) {
        place = proveTransaction(transaction, proof, depth);
        bytes calldata found;
        (paid, found) = BitcoinTransactions.outputOf(transaction, output);
        if (keccak256(found) != keccak256(script)) revert WrongScript(keccak256(found));
        if (paid < least) revert TooLittle(paid, least);
    }

    /// @inheritdoc IBitcoinLightClient
    function proveSpend(
        bytes calldata transaction,
        bytes32 txid,
        uint256 output,
        Inclusion calldata proof,
        uint256 depth
    ) external view returns (Place memory place) {
        place = proveTransaction(transaction, proof, depth);
        if (!BitcoinTransactions.spends(transaction, txid, output)) revert NotSpent(txid, output);
    }

    /// @dev The first header's hash and height, and the checkpoint that the headers lead to, which is on the best chain.
    /// A header before a checkpoint is known by its hash, before the anchor too.
    function _place(bytes calldata headers)
        private
        view
        returns (bytes32 hash, bytes32 end, uint32 height, uint32 depth)
    {
        if (headers.length == 0 || headers.length % HEADER != 0) revert BadBatch(headers.length, 0);
        uint256 cursor;
        assembly ("memory-safe") {
            cursor := headers.offset
        }
        uint256 count = headers.length / HEADER;
        hash = _hash(cursor);
        end = hash;
        for (uint256 i = 1; i < count; ++i) {
            cursor += HEADER;
            if (_word(cursor + PREVIOUS_AT) != end) revert Unlinked(i);
            end = _hash(cursor);
        }
        uint256 top = checkpoints[end].height;
        if (count > top + 1) revert NotOnBestChain(end); // before the first block, or no checkpoint
        height = uint32(top + 1 - count);
        depth = uint32(confirmations(end, height));
        if (depth == 0) revert NotOnBestChain(end);
    }

    /// @dev The first transaction shows how high the tree is. Its preimage is given, and is not of 64 bytes, so it is no
    /// inner node; nothing stands below it, for its first bytes would have to be a hash with 28 bytes to order. So a
    /// path of its length ends at a transaction too, not in the midst of one of 64 bytes (CVE-2017-12842).
    function _checkCoinbase(Inclusion calldata proof, bytes32 root) private view {
        bytes calldata coinbase = proof.coinbase;
        if (proof.coinbasePath.length != proof.path.length) {
            revert DepthsDiffer(proof.path.length, proof.coinbasePath.length);
        }
        if (coinbase.length == 64) revert SixtyFourBytes();
        // after four bytes of version: one input, which spends output 2^32 - 1 of transaction 0
        if (coinbase.length < 41 || bytes32(coinbase[4:36]) != bytes32(uint256(1) << 248)) revert NotACoinbase();
        if (bytes5(coinbase[36:41]) != 0x00ffffffff) revert NotACoinbase();
        bytes32 id = _twice(coinbase);
        if (_root(id, 0, proof.coinbasePath) != root) revert WrongPath(id);
    }

    function _root(bytes32 node, uint256 index, bytes32[] calldata path) private view returns (bytes32) {
        for (uint256 i = 0; i < path.length; ++i) {
            bytes32 other = path[i];
            node = index & 1 == 0 ? _pair(node, other) : _pair(other, node);
            index >>= 1;
        }
        return node;
    }

    // --- hashes and numbers --------------------------------------------------------------------------------

    /// @dev SHA-256 of SHA-256, as all hashes here. The answer's size is checked too: where there is no such precompile, a
    /// call succeeds and says nothing.
    function _hash(uint256 cursor) private view returns (bytes32 hash) {
        assembly ("memory-safe") {
            let free := mload(0x40)
            calldatacopy(free, cursor, 80) // HEADER
            let done := and(eq(returndatasize(), 32), staticcall(gas(), SHA256, free, 80, free, 32))
            done := and(done, and(eq(returndatasize(), 32), staticcall(gas(), SHA256, free, 32, 0, 32)))
            if iszero(done) { revert(0, 0) }
            hash := mload(0)
        }
    }

    function _pair(bytes32 left, bytes32 right) private view returns (bytes32 hash) {
        assembly ("memory-safe") {
            mstore(0, left)
            mstore(0x20, right)
            let done := and(eq(returndatasize(), 32), staticcall(gas(), SHA256, 0, 64, 0, 32))
            done := and(done, and(eq(returndatasize(), 32), staticcall(gas(), SHA256, 0, 32, 0, 32)))
            if iszero(done) { revert(0, 0) }
            hash := mload(0)
        }
    }

    function _twice(bytes calldata data) private pure returns (bytes32) {
        return sha256(abi.encodePacked(sha256(data)));
    }

    function _word(uint256 cursor) private pure returns (bytes32 word) {
        assembly ("memory-safe") {
            word := calldataload(cursor)
        }
    }

    function _numbers(uint256 header) private pure returns (uint256) {
        unchecked {
            return uint256(_word(header + NUMBERS_AT));
        }
    }

    function _swap32(uint256 value) private pure returns (uint256) {
        unchecked {
            return (value & 0xff) << 24 | (value & 0xff00) << 8 | (value >> 8 & 0xff00) | (value >> 24 & 0xff);
        }
    }

    function _swap256(uint256 value) private pure returns (uint256) {
        unchecked {
            uint256 mask = 0x00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff;
            value = (value >> 8 & mask) | (value & mask) << 8;
            mask = 0x0000ffff0000ffff0000ffff0000ffff0000ffff0000ffff0000ffff0000ffff;
            value = (value >> 16 & mask) | (value & mask) << 16;
            mask = 0x00000000ffffffff00000000ffffffff00000000ffffffff00000000ffffffff;
            value = (value >> 32 & mask) | (value & mask) << 32;
            mask = 0x0000000000000000ffffffffffffffff0000000000000000ffffffffffffffff;
            value = (value >> 64 & mask) | (value & mask) << 64;
            return value >> 128 | value << 128;
        }
    }

    /// @dev A target from its compact form: a byte of size in bytes, then the three highest bytes. The highest bit is a
    /// sign, so every target above zero has one form without it.
    function _target(uint32 bits) private pure returns (uint256 target) {
        uint256 size = bits >> 24;
        uint256 high = bits & 0x7fffff;
        if (size > 33) revert BadBits(bits); // above 256 bits
        target = size <= 3 ? high >> (8 * (3 - size)) : high << (8 * (size - 3));
        if (target == 0 || _bits(target) != bits) revert BadBits(bits);
    }

    function _bits(uint256 target) private pure returns (uint256) {
        unchecked {
            uint256 size = 0;
            while (size < 32 && target >> (8 * size) != 0) ++size;
            uint256 high = size <= 3 ? target << (8 * (3 - size)) : target >> (8 * (size - 3));
            if (high & 0x800000 != 0) {
                high >>= 8;
                ++size;
            }
            return size << 24 | high;
        }
    }
}
