// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IVaults} from "./IVaults.sol";
import {VAULT_CODE_0, VAULT_CODE_1, VAULT_CODE_HASH} from "./VaultCode.sol";

/// @title Factory and book of all vaults of a chain; see IVaults
/// @dev Transient storage (EIP-1153), by vault address: what its code is to do when it asks, and so that it was spent
/// in this transaction. An address has 160 bits; the bits above tell the slots of one vault apart.
contract Vaults is IVaults {
    bytes32 private constant DOMAIN_TYPE =
        keccak256("EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)");
    bytes32 private constant NAME = keccak256("Strikelock Vaults");
    bytes32 private constant VERSION = keccak256("1");
    bytes32 private constant CONSENT_TYPE = keccak256("Consent(bytes32 terms,uint256 path)");
    /// @dev Half the order of secp256k1: of the two valid forms of a signature only the lower is taken (EIP-2). The
    /// compact form has no room for the other anyway, but for one s in 2^128, which nobody can make to measure here.
    uint256 private constant MAX_S = 0x7fffffffffffffffffffffffffffffff5d576e7357a4501ddfe92f46681b20a0;

    // A path in a word: where its fields begin (the recipient at 0), and masks.
    uint256 private constant AFTER_AT = 160;
    uint256 private constant HASHES_AT = 224;
    uint256 private constant SIGNERS_AT = 232;
    uint256 private constant INDEX_AT = 240;
    uint256 private constant ADDRESS_MASK = 2 ** 160 - 1;
    uint256 private constant AFTER_MASK = 2 ** 64 - 1;

    uint256 private constant MAX_HASHES = 2;
    uint256 private constant SIGNER_WORDS = 3; // signer, r, yParityAndS
    /// @dev Witnesses of two words, by what stands above HASHES_AT: the first path with one hash, the second with none.
    uint256 private constant FIRST_WITH_HASH = 1;
    uint256 private constant SECOND_BARE = 1 << 16;
    /// @dev Addresses below 2^16 are precompiles, today's (to 0x11, and 0x100) and tomorrow's.
    uint256 private constant PRECOMPILE_BITS = 16;

    // Orders to a vault, in its slot (its address) and the one IS_SECOND above. Coin: the recipient. Token: the
    // recipient, and above it the amount's high part plus one; then the token, and above it the amount's low 96 bits.
    uint256 private constant IS_SECOND = 1 << 160;
    uint256 private constant LOW_BITS = 96;
    /// @dev The most that is paid at a time, so that the orders fit. What is left can be spent like any late deposit.
    uint256 private constant MAX_PAYMENT = 2 ** 191;

    uint256 private constant BALANCE_OF = 0x70a08231; // balanceOf(address)
    uint256 private constant SHA256 = 2; // precompile
    uint256 private constant CALL_COST = 300; // of an item's call, besides its allowance

    uint256 private immutable CHAIN_ID = block.chainid;

    // --- what a vault asks ---------------------------------------------------------------------------------

    /// @dev A vault's code asks with no data and gets its orders; anyone else has none and is refused. (Payable spares a
    /// check: whoever has orders sends no coin.)
    fallback() external payable {
        assembly ("memory-safe") {
            let orders := tload(caller())
            let pay := shr(160, orders)
            if iszero(pay) {
                if iszero(orders) {
                    mstore(0, 0xc1f71a70) // NoSuchFunction()
                    revert(0x1c, 4)
                }
                mstore(0, orders)
                return(0, 0x20)
            }
            let second := tload(or(caller(), IS_SECOND))
            mstore(0, and(orders, ADDRESS_MASK))
            mstore(0x20, or(shl(LOW_BITS, sub(pay, 1)), shr(160, second)))
            mstore(0x40, and(second, ADDRESS_MASK))
            return(0, 0x60)
        }
    }

    // --- spending ------------------------------------------------------------------------------------------

    /// @inheritdoc IVaults
    function spend(address asset, uint256 path, bytes32[] calldata witness) external {
        bytes32 terms = _terms(path, witness);
        if (uint8(path >> SIGNERS_AT) != 0) _checkConsents(terms, path, witness);
        uint256 words;
        assembly ("memory-safe") {
            words := witness.offset
        }
        if (asset == address(0)) _payCoin(path, terms, words);
        else _payToken(asset, path, terms, words);
    }

    /// @inheritdoc IVaults
    function spendCoin(uint256 path, bytes32, bytes32) external {
        _payCoin(path, _shortTerms(path, 0x24), 0x24);
    }

    /// @inheritdoc IVaults
    function spendErc20(address token, uint256 path, bytes32, bytes32) external {
        _payToken(token, path, _shortTerms(path, 0x44), 0x44);
    }

    /// @inheritdoc IVaults
    function spendMany(address asset, uint256 allowance, uint256[] calldata items) external returns (uint256 spent) {
        uint256 next;
        uint256 end;
        assembly ("memory-safe") {
            next := items.offset
            end := add(next, shl(5, items.length))
        }
        while (next != end) {
            uint256 path;
            assembly ("memory-safe") {
                path := calldataload(next)
            }
            uint256 count = _witnessLength(path);
            unchecked {
                uint256 rest = (end - next) / 32 - 1;
                if (rest < count) revert WitnessLength(rest, count);
                spent += _trySpend(asset, allowance, path, next, count);
                next += 32 + 32 * count;
            }
        }
        if (spent == 0) revert NothingSpent();
    }

    // --- views ---------------------------------------------------------------------------------------------

    /// @inheritdoc IVaults
    function addressOf(bytes32 terms) external view returns (address) {
        return _vault(terms);
    }

    /// @inheritdoc IVaults
    function termsOf(uint256 path, bytes32[] calldata witness) external view returns (bytes32 terms) {
        return _terms(path, witness);
    }

    /// @inheritdoc IVaults
    function consentDigest(bytes32 terms, uint256 index) external view returns (bytes32) {
        return _consentDigest(terms, index);
    }

    /// @inheritdoc IVaults
    function balances(address[] calldata accounts, address asset) external view returns (uint256[] memory amounts) {
        amounts = new uint256[](accounts.length);
        for (uint256 i = 0; i < accounts.length; ++i) {
            amounts[i] = asset == address(0) ? accounts[i].balance : _tokenBalance(asset, accounts[i]);
        }
    }

    // --- what is shown ---------------------------------------------------------------------------------------

    /// @dev Hash what is shown up to the terms (IVaults has the layout).
    function _terms(uint256 path, bytes32[] calldata witness) private view returns (bytes32 terms) {
        uint256 count = _witnessLength(path);
        if (witness.length != count) revert WitnessLength(witness.length, count);
        uint256 hashes = uint8(path >> HASHES_AT);
        uint256 signers = uint8(path >> SIGNERS_AT);
        if (hashes > MAX_HASHES) revert TooManyHashes(hashes);
        uint256 chainId = CHAIN_ID;
        assembly ("memory-safe") {
            // leaf
            let leaf := mload(0x40)
            mstore(leaf, chainId)
            mstore(add(leaf, 0x20), path)
            let end := add(leaf, 0x40)
            let word := witness.offset
            for { let until := add(word, shl(5, hashes)) } lt(word, until) { word := add(word, 0x20) } {
                mstore(0, calldataload(word))
                // A precompile call fails only for want of gas; going on would take what stood in memory for the hash.
                if iszero(staticcall(gas(), SHA256, 0, 0x20, end, 0x20)) { revert(0, 0) }
                end := add(end, 0x20)
            }
            for { let until := add(word, mul(0x60, signers)) } lt(word, until) { word := add(word, 0x60) } {
                mstore(end, calldataload(word))
                end := add(end, 0x20)
            }
            terms := keccak256(leaf, sub(end, leaf))
            // chain: own leaf with the tail, which is the last word, then back over the leaves before it
            let last := add(witness.offset, shl(5, sub(count, 1)))
            mstore(0, terms)
            mstore(0x20, calldataload(last))
            terms := keccak256(0, 0x40)
            for {} lt(word, last) {} {
                last := sub(last, 0x20)
                mstore(0, calldataload(last))
                mstore(0x20, terms)
                terms := keccak256(0, 0x40)
            }
        }
    }

    /// @dev The same for a witness of two words at `words` in the call data.
    function _shortTerms(uint256 path, uint256 words) private view returns (bytes32 terms) {
        uint256 kind = path >> HASHES_AT;
        uint256 chainId = CHAIN_ID;
        assembly {
            // no memory is in use yet: the leaf stands from 0x80
            mstore(0x80, chainId)
            mstore(0xa0, path)
            switch kind
            case 1 {
                // FIRST_WITH_HASH
                mstore(0, calldataload(words))
                if iszero(staticcall(gas(), SHA256, 0, 0x20, 0xc0, 0x20)) { revert(0, 0) }
                mstore(0, keccak256(0x80, 0x60))
                mstore(0x20, calldataload(add(words, 0x20)))
            }
            case 0x10000 {
                // SECOND_BARE
                mstore(0, keccak256(0x80, 0x40))
                mstore(0x20, calldataload(add(words, 0x20)))
                mstore(0x20, keccak256(0, 0x40))
                mstore(0, calldataload(words))
            }
            default {
                mstore(0, 0xd6980c8b) // NotShort(uint256)
                mstore(0x20, path)
                revert(0x1c, 0x24)
            }
            terms := keccak256(0, 0x40)
        }
    }

    /// @dev Preimages, three words a signer, leaves before this one, the tail.
    function _witnessLength(uint256 path) private pure returns (uint256) {
        unchecked {
            return uint8(path >> HASHES_AT) + SIGNER_WORDS * uint8(path >> SIGNERS_AT) + (path >> INDEX_AT) + 1;
        }
    }

    function _checkConsents(bytes32 terms, uint256 path, bytes32[] calldata witness) private view {
        bytes32 digest = _consentDigest(terms, path >> INDEX_AT);
        uint256 first = uint8(path >> HASHES_AT);
        uint256 end = first + SIGNER_WORDS * uint8(path >> SIGNERS_AT);
        for (uint256 i = first; i < end; i += SIGNER_WORDS) {
            address signer = address(uint160(uint256(witness[i])));
            uint256 vs = uint256(witness[i + 2]);
            bytes32 s = bytes32(vs & ~uint256(1 << 255));
            address recovered = ecrecover(digest, uint8(27 + (vs >> 255)), witness[i + 1], s);
            // ecrecover answers zero for what is no signature, so zero can never be a signer
            if (recovered == address(0) || recovered != signer || uint256(s) > MAX_S) {
                revert BadConsent(signer, terms, path >> INDEX_AT);
            }
        }
    }

    function _consentDigest(bytes32 terms, uint256 index) private view returns (bytes32) {
        bytes32 domain = keccak256(abi.encode(DOMAIN_TYPE, NAME, VERSION, block.chainid, address(this)));
        return keccak256(abi.encodePacked(hex"1901", domain, keccak256(abi.encode(CONSENT_TYPE, terms, index))));
    }

    // --- where the money is, and where it goes -----------------------------------------------------------------

    /// @dev CREATE2 (EIP-1014): the low 160 bits of keccak256(0xff . this . terms . keccak256(code)).
    function _vault(bytes32 terms) private view returns (address vault) {
        assembly ("memory-safe") {
            let data := mload(0x40)
            mstore(data, or(shl(160, 0xff), address()))
            mstore(add(data, 0x20), terms)
            mstore(add(data, 0x40), VAULT_CODE_HASH)
            vault := and(keccak256(add(data, 0x0b), 0x55), ADDRESS_MASK)
        }
    }

    /// @dev Say why a spend is refused. A vault stays destroyed until the transaction ends: deploying it again would burn
    /// nearly all gas, and coin sent to it would be burned.
    function _refuse(address asset, uint256 path, address vault) private view {
        address to = address(uint160(path));
        if (uint160(to) >> PRECOMPILE_BITS == 0 || to == address(this) || to == asset) revert BadRecipient(to);
        uint256 notBefore = (path >> AFTER_AT) & AFTER_MASK;
        if (block.timestamp < notBefore) revert TooEarly(notBefore, block.timestamp);
        uint256 orders;
        assembly ("memory-safe") {
            orders := tload(vault)
        }
        if (orders != 0) revert AlreadySpent(vault);
        revert RecipientSpent(to);
    }

    // --- payment ---------------------------------------------------------------------------------------------

    /// @dev No code but the vault's runs between the two readings of the recipient's balance: it is what the vault paid.
    function _payCoin(uint256 path, bytes32 terms, uint256 words) private {
        uint256 amount;
        address vault;
        uint256 refused;
        assembly {
            let to := and(path, ADDRESS_MASK)
            mstore(0x80, or(shl(160, 0xff), address()))
            mstore(0xa0, terms)
            mstore(0xc0, VAULT_CODE_HASH)
            vault := and(keccak256(0x8b, 0x55), ADDRESS_MASK)
            refused := or(
                or(or(tload(vault), tload(to)), lt(timestamp(), and(shr(AFTER_AT, path), AFTER_MASK))),
                or(iszero(shr(PRECOMPILE_BITS, to)), eq(to, address()))
            )
            if iszero(refused) {
                amount := balance(to)
                tstore(vault, to)
                mstore(0x80, VAULT_CODE_0)
                mstore(0xa0, VAULT_CODE_1)
                pop(create2(0, 0x80, 0x40, terms))
                amount := sub(balance(to), amount)
                if amount {
                    mstore(0x80, shr(INDEX_AT, path))
                    mstore(0xa0, amount)
                    let size := shl(5, byte(3, path))
                    calldatacopy(0xc0, words, size)
                    log1(0x80, add(0x40, size), vault)
                    stop()
                }
            }
        }
        if (refused != 0) _refuse(address(0), path, vault);
        revert EmptyVault(vault, address(0));
    }

    /// @dev What left is what counts: some tokens round, so that a few units stay behind; those can be spent later.
    function _payToken(address asset, uint256 path, bytes32 terms, uint256 words) private {
        address vault;
        uint256 refused;
        uint256 held;
        uint256 moved;
        uint256 coin;
        assembly {
            let to := and(path, ADDRESS_MASK)
            mstore(0x80, or(shl(160, 0xff), address()))
            mstore(0xa0, terms)
            mstore(0xc0, VAULT_CODE_HASH)
            vault := and(keccak256(0x8b, 0x55), ADDRESS_MASK)
            refused := or(
                or(tload(vault), lt(timestamp(), and(shr(AFTER_AT, path), AFTER_MASK))),
                or(or(iszero(shr(PRECOMPILE_BITS, to)), eq(to, address())), eq(to, asset))
            )
            if iszero(refused) {
                // arguments are evaluated from the last to the first: the call, then what it returned
                mstore(0, BALANCE_OF)
                mstore(0x20, vault)
                held := mul(mload(0), and(gt(returndatasize(), 0x1f), staticcall(gas(), asset, 0x1c, 0x24, 0, 0x20)))
                if held {
                    let pay := held
                    if gt(pay, MAX_PAYMENT) { pay := MAX_PAYMENT }
                    tstore(vault, or(to, shl(160, add(shr(LOW_BITS, pay), 1))))
                    tstore(or(vault, IS_SECOND), or(asset, shl(160, pay)))
                    mstore(0x80, VAULT_CODE_0)
                    mstore(0xa0, VAULT_CODE_1)
                    coin := selfbalance()
                    if create2(0, 0x80, 0x40, terms) {
                        coin := sub(selfbalance(), coin)
                        mstore(0, BALANCE_OF)
                        if and(gt(returndatasize(), 0x1f), staticcall(gas(), asset, 0x1c, 0x24, 0, 0x20)) {
                            moved := mul(sub(held, mload(0)), lt(mload(0), held))
                        }
                    }
                    if moved {
                        mstore(0x80, or(shl(96, asset), shr(INDEX_AT, path)))
                        mstore(0xa0, moved)
                        let size := shl(5, byte(3, path))
                        calldatacopy(0xc0, words, size)
                        log1(0x80, add(0x40, size), vault)
                        if iszero(coin) { stop() }
                    }
                }
            }
        }
        if (refused != 0) _refuse(asset, path, vault);
        if (held == 0) _emptyOrNoToken(asset, vault);
        if (moved == 0) revert TransferRefused(vault, asset);
        _payOn(path, coin, vault, words);
    }

    /// @dev Coin that stood at a vault when a token was spent, to the same recipient and as quietly: as the endowment of
    /// a contract whose init code is PUSH20 recipient, SELFDESTRUCT.
    function _payOn(uint256 path, uint256 coin, address vault, uint256 words) private {
        address carrier;
        assembly {
            let to := and(path, ADDRESS_MASK)
            if iszero(tload(to)) {
                mstore(0, or(or(shl(248, 0x73), shl(88, to)), shl(80, 0xff)))
                carrier := create(coin, 0, 22)
                mstore(0x80, shr(INDEX_AT, path))
                mstore(0xa0, coin)
                let size := shl(5, byte(3, path))
                calldatacopy(0xc0, words, size)
                log1(0x80, add(0x40, size), vault)
            }
        }
        if (carrier == address(0)) revert RecipientSpent(address(uint160(path)));
    }

    function _emptyOrNoToken(address asset, address vault) private view {
        _tokenBalance(asset, vault);
        revert EmptyVault(vault, asset);
    }

    /// @dev One item of a batch, its path and witness, as a call of its own, so that it may fail alone.
    function _trySpend(address asset, uint256 allowance, uint256 path, uint256 item, uint256 count)
        private
        returns (uint256 done)
    {
        uint256 kind = path >> HASHES_AT;
        bool short = kind == FIRST_WITH_HASH || kind == SECOND_BARE;
        bytes4 selector =
            !short ? this.spend.selector : asset == address(0) ? this.spendCoin.selector : this.spendErc20.selector;
        uint256 left;
        assembly ("memory-safe") {
            let data := mload(0x40)
            let next := add(data, 4)
            mstore(data, selector)
            if or(asset, iszero(short)) {
                mstore(next, asset)
                next := add(next, 0x20)
            }
            let size := shl(5, count)
            mstore(next, path)
            next := add(next, 0x20)
            if iszero(short) {
                // the witness as an array: its place, its length
                mstore(next, 0x60)
                mstore(add(next, 0x20), count)
                next := add(next, 0x40)
            }
            calldatacopy(next, add(item, 0x20), size)
            // A call gets at most 63/64 of what is left (EIP-150). An item skipped for want of gas would let a gas
            // estimate pass that spends nothing.
            left := gas()
            let given := sub(left, CALL_COST)
            if iszero(or(lt(left, CALL_COST), lt(sub(given, shr(6, given)), allowance))) {
                done := call(allowance, address(), 0, data, sub(add(next, size), data), 0, 0)
                left := 0
            }
        }
        if (left != 0) revert GasBelowAllowance(left, allowance);
    }

    function _tokenBalance(address asset, address account) private view returns (uint256 amount) {
        bool ok;
        assembly ("memory-safe") {
            mstore(0, BALANCE_OF)
            mstore(0x20, account)
            ok := staticcall(gas(), asset, 0x1c, 0x24, 0, 0x20)
            ok := and(ok, gt(returndatasize(), 0x1f))
            amount := mload(0)
        }
        if (!ok) revert NotAToken(asset);
    }
}
