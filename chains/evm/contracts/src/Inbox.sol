// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Checkpoint, IInbox, IRecipient, Origin, Signed} from "./IInbox.sol";
import {IQuorum} from "./IQuorum.sol";
import {Message} from "./IOutbox.sol";
import {Messages} from "./Messages.sol";

/// @title See IInbox
contract Inbox is IInbox {
    struct Lane {
        Origin origin; // zero: no such lane
        bool paused;
        bytes32 domain; // of its checkpoints, see `digest`
    }

    bytes32 private constant DOMAIN_TYPE =
        keccak256("EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)");
    bytes32 private constant NAME = keccak256("Strikelock Checkpoint");
    bytes32 private constant VERSION = keccak256("1");
    bytes32 private constant CHECKPOINT_TYPE =
        keccak256("Checkpoint(uint32 set,bytes32 lane,uint32 count,bytes32 root)");

    // A packed message: sender, recipient, gas, length of the payload.
    uint256 private constant RECIPIENT_AT = 20;
    uint256 private constant GAS_AT = 40;
    uint256 private constant LENGTH_AT = 44;
    uint256 private constant HEAD = 48;
    /// @dev What is left for this contract after a call: EIP-150 keeps back a 64th, and the rest of a delivery costs less.
    uint256 private constant RESERVE = 30_000;

    uint64 public immutable DESTINATION = uint64(block.chainid);
    IQuorum public immutable quorum;
    address public immutable GUARDIAN;

    mapping(bytes32 lane => Lane) private lanes;
    mapping(bytes32 lane => mapping(uint256 group => uint256)) public delivered;
    mapping(bytes32 lane => mapping(bytes32 root => uint32)) public accepted;
    mapping(bytes32 id => bool) public failed;
    mapping(address recipient => bool) public open;

    constructor(IQuorum quorum_, address guardian, Origin[] memory origins) {
        quorum = quorum_;
        GUARDIAN = guardian;
        for (uint256 i = 0; i < origins.length; ++i) {
            Origin memory origin = origins[i];
            Lane storage lane = lanes[laneFrom(origin.source, origin.outbox)];
            lane.origin = origin;
            lane.domain = keccak256(abi.encode(DOMAIN_TYPE, NAME, VERSION, uint256(origin.source), origin.outbox));
        }
    }

    function deliver(
        Checkpoint calldata checkpoint,
        Signed calldata signed,
        uint32 first,
        bytes calldata messages,
        bytes32[] calldata proof
    ) external returns (uint256) {
        Lane storage lane = _lane(checkpoint.lane);
        if (lane.paused) revert LanePaused(checkpoint.lane);
        _accept(lane, checkpoint, signed);
        Origin memory origin = lane.origin;
        bytes32[] memory ids = _read(origin, first, messages);
        bytes32 root = _climb(_copy(ids), first, checkpoint.count, proof);
        if (root != checkpoint.root) revert WrongProof(checkpoint.root, root);
        return _deliver(origin.source, checkpoint.lane, first, messages, ids);
    }

    function retry(Message calldata message) external {
        bytes32 id = Messages.id(message);
        bytes32 lane = laneFrom(message.source, message.outbox);
        if (_lane(lane).paused) revert LanePaused(lane);
        if (!failed[id]) revert NotFailed(id);
        failed[id] = false; // before the recipient is called, which may come back
        bytes memory data = _call(message.source, message.sender, id, message.payload);
        _needGas(id, message.gas);
        if (!open[message.recipient] || !_try(message.recipient, gasleft(), data)) revert FailedAgain(id);
        emit Delivered(lane, id, message.index, true);
    }

    function opt(bool open_) external {
        open[msg.sender] = open_;
        emit Opted(msg.sender, open_);
    }

    function pause(bytes32 lane, bool paused) external {
        if (msg.sender != GUARDIAN) revert NotGuardian(msg.sender);
        _lane(lane).paused = paused;
        emit Paused(lane, paused);
    }

    function digest(Checkpoint calldata checkpoint) external view returns (bytes32) {
        return _digest(_lane(checkpoint.lane), checkpoint);
    }

    function laneFrom(uint64 source, address outbox) public view returns (bytes32) {
        return Messages.lane(source, outbox, DESTINATION, address(this));
    }

    function isPaused(bytes32 lane) external view returns (bool) {
        return _lane(lane).paused;
    }

    // --- checkpoints

    function _lane(bytes32 name) private view returns (Lane storage lane) {
        lane = lanes[name];
        if (lane.domain == 0) revert NoSuchLane(name);
    }

    function _accept(Lane storage lane, Checkpoint calldata checkpoint, Signed calldata signed) private {
        if (checkpoint.root == 0) revert ZeroRoot();
        mapping(bytes32 root => uint32) storage roots = accepted[checkpoint.lane];
        if (checkpoint.count != 0 && roots[checkpoint.root] == checkpoint.count) return;
        if (signed.signatures.length == 0) revert NotAccepted(checkpoint.lane, checkpoint.root);
        quorum.verify(_digest(lane, checkpoint), checkpoint.set, signed.members, signed.signatures);
        roots[checkpoint.root] = checkpoint.count;
        emit Accepted(checkpoint.lane, checkpoint.count, checkpoint.root);
    }

    function _digest(Lane storage lane, Checkpoint calldata checkpoint) private view returns (bytes32) {
        bytes32 content =
            keccak256(abi.encode(CHECKPOINT_TYPE, checkpoint.set, checkpoint.lane, checkpoint.count, checkpoint.root));
        return keccak256(abi.encodePacked(hex"1901", lane.domain, content));
    }

    // --- proofs

    /// @dev The ids of packed messages.
    function _read(Origin memory origin, uint32 first, bytes calldata messages)
        private
        view
        returns (bytes32[] memory ids)
    {
        uint256 count = 0;
        for (uint256 spot = 0; spot < messages.length; ++count) {
            spot = _end(messages, spot);
        }
        ids = new bytes32[](count);
        uint256 start = 0;
        for (uint256 i = 0; i < count; ++i) {
            uint256 end = _end(messages, start);
            ids[i] = _id(origin, first + i, messages[start:end]);
            start = end;
        }
    }

    /// @dev Where the message that begins at `at` ends.
    function _end(bytes calldata messages, uint256 spot) private pure returns (uint256 end) {
        if (messages.length < spot + HEAD) revert CutShort();
        end = spot + HEAD + uint32(bytes4(messages[spot + LENGTH_AT:spot + HEAD]));
        if (messages.length < end) revert CutShort();
    }

    /// @dev As `Messages.id`; the fields need not be in memory as a struct.
    function _id(Origin memory origin, uint256 index, bytes calldata packed) private view returns (bytes32) {
        return keccak256(
            abi.encode(
                Messages.MESSAGE_TYPE,
                origin.source,
                origin.outbox,
                index,
                DESTINATION,
                address(this),
                address(bytes20(packed[:RECIPIENT_AT])),
                address(bytes20(packed[RECIPIENT_AT:GAS_AT])),
                uint32(bytes4(packed[GAS_AT:LENGTH_AT])),
                keccak256(packed[HEAD:])
            )
        );
    }

    /// @dev The root above a range of leaves of a tree with `count` of them. `nodes` is overwritten.
    function _climb(bytes32[] memory nodes, uint256 first, uint256 count, bytes32[] calldata proof)
        private
        pure
        returns (bytes32)
    {
        uint256 end = first + nodes.length;
        if (nodes.length == 0 || end > count) revert OutOfRange(first, end, count);
        bytes32 empty = 0; // the node above empty leaves alone
        uint256 used = 0;
        for (uint256 height = 0; height < Messages.DEPTH; ++height) {
            uint256 to = 0; // where the next node above is written
            uint256 from = 0;
            uint256 n = end - first;
            if (first & 1 == 1) {
                nodes[to++] = Messages.node(proof[used++], nodes[from++]);
            }
            for (; from + 1 < n; from += 2) {
                nodes[to++] = Messages.node(nodes[from], nodes[from + 1]);
            }
            if (from < n) {
                nodes[to] = Messages.node(nodes[from], end < count ? proof[used++] : empty);
            }
            first >>= 1;
            end = (end + 1) >> 1;
            count = (count + 1) >> 1;
            empty = Messages.node(empty, empty);
        }
        if (used != proof.length) revert WrongProof(nodes[0], 0);
        return nodes[0];
    }

    function _copy(bytes32[] memory from) private pure returns (bytes32[] memory to) {
        to = new bytes32[](from.length);
        assembly ("memory-safe") {
            mcopy(add(to, 32), add(from, 32), mul(mload(from), 32))
        }
    }

    // --- deliveries

    function _deliver(uint64 source, bytes32 lane, uint32 first, bytes calldata messages, bytes32[] memory ids)
        private
        returns (uint256 count)
    {
        mapping(uint256 group => uint256) storage done = delivered[lane];
        uint256 start = 0;
        for (uint256 i = 0; i < ids.length; ++i) {
            uint256 end = _end(messages, start);
            uint256 index = uint256(first) + i;
            uint256 bits = done[index >> 8];
            uint256 bit = 1 << (index & 0xff);
            if (bits & bit == 0) {
                done[index >> 8] = bits | bit; // before the recipient is called, which may come back
                bool success = _hand(source, ids[i], messages[start:end]);
                if (!success) failed[ids[i]] = true;
                emit Delivered(lane, ids[i], uint32(index), success);
                ++count;
            }
            start = end;
        }
    }

    /// @dev Give a message to its recipient, with the gas that it says.
    function _hand(uint64 source, bytes32 id, bytes calldata packed) private returns (bool) {
        address recipient = address(bytes20(packed[RECIPIENT_AT:GAS_AT]));
        if (!open[recipient]) return false;
        uint256 allowance = uint32(bytes4(packed[GAS_AT:LENGTH_AT]));
        bytes memory data = _call(source, address(bytes20(packed[:RECIPIENT_AT])), id, packed[HEAD:]);
        _needGas(id, allowance);
        return _try(recipient, allowance, data);
    }

    /// @dev Of what is left a 64th stays here (EIP-150): without this check a pusher could starve a recipient.
    function _needGas(bytes32 id, uint256 allowance) private view {
        if (gasleft() - gasleft() / 64 < allowance + RESERVE) revert GasBelowMessage(id, allowance);
    }

    function _call(uint64 source, address sender, bytes32 id, bytes calldata payload)
        private
        pure
        returns (bytes memory)
    {
        return abi.encodeCall(IRecipient.receiveMessage, (source, sender, id, payload));
    }

    /// @dev A call whose answer is not read, however long it is.
    function _try(address recipient, uint256 allowance, bytes memory data) private returns (bool success) {
        assembly ("memory-safe") {
            success := call(allowance, recipient, 0, add(data, 32), mload(data), 0, 0)
        }
    }
}
