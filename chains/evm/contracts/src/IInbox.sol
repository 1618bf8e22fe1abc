// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IQuorum} from "./IQuorum.sol";
import {Message} from "./IOutbox.sol";

/// @dev The root of a lane's tree when it had `count` messages, as signers of `set` saw it in a final block.
struct Checkpoint {
    uint32 set;
    bytes32 lane;
    uint32 count;
    bytes32 root;
}

/// @dev Where a lane begins.
struct Origin {
    uint64 source;
    address outbox;
}

/// @notice What gets messages.
interface IRecipient {
    /// @notice A message has come; only the inbox may call this. `source` is the chain where `sender` sent it.
    function receiveMessage(uint64 source, address sender, bytes32 id, bytes calldata payload) external;
}

/// @title Inbox: messages of other chains, each delivered exactly once
/// @notice Anyone brings a checkpoint with the signatures of a quorum, and messages with a proof that they are leaves below
/// its root. What is delivered is bound to chain, outbox, inbox and index, so nothing can be replayed on another lane, chain
/// or deployment. A recipient that fails, burns its gas or comes back in does not hold up others: its message is noted
/// as failed, and anyone may try it again. Recipients opt in by themselves, and are only ever called as `IRecipient`: there is
/// nothing to administer. The guardian can pause a lane, and nothing else; no money of a deal passes here.
interface IInbox {
    /// @notice A checkpoint was proved; deliveries below it need no signatures from now on.
    event Accepted(bytes32 indexed lane, uint32 count, bytes32 root);
    /// @notice A message was delivered; `success` is whether its recipient took it.
    event Delivered(bytes32 indexed lane, bytes32 indexed id, uint32 index, bool success);
    /// @notice A recipient takes messages, or takes none any more.
    event Opted(address indexed recipient, bool open);
    /// @notice A lane was paused, or goes on.
    event Paused(bytes32 indexed lane, bool paused);

    /// @notice The lane does not lead here.
    error NoSuchLane(bytes32 lane);
    /// @notice The guardian stopped the lane.
    error LanePaused(bytes32 lane);
    /// @notice Nobody but the guardian.
    error NotGuardian(address caller);
    /// @notice A root of zero is the root of nothing.
    error ZeroRoot();
    /// @notice No signatures came with it, and it was not accepted before.
    error NotAccepted(bytes32 lane, bytes32 root);
    /// @notice Messages from `first` to `end` are not below a checkpoint of `count` messages.
    error OutOfRange(uint256 first, uint256 end, uint256 count);
    /// @notice The messages are not leaves below the root.
    error WrongProof(bytes32 root, bytes32 found);
    /// @notice The packed messages end in the midst of one.
    error CutShort();
    /// @notice The transaction has too little gas left to give a recipient what its message says: bring more.
    error GasBelowMessage(bytes32 id, uint256 gas);
    /// @notice The message did not fail, or was delivered since.
    error NotFailed(bytes32 id);
    /// @notice The recipient failed again.
    error FailedAgain(bytes32 id);

    /// @notice Prove a checkpoint, if it was not, and deliver messages below it. Those that were delivered before are
    /// skipped.
    /// @param signed members and signatures, see IQuorum; both empty for a checkpoint that was accepted before
    /// @param first index of the first message
    /// @param messages of one lane, with consecutive indexes, packed: sender 20, recipient 20, gas 4, length 4, payload
    /// @param proof the nodes left and right of them, from the leaves upwards, at each height left before right;
    /// without nodes that stand above empty leaves alone
    /// @return delivered how many of them were not delivered before
    function deliver(
        Checkpoint calldata checkpoint,
        Signed calldata signed,
        uint32 first,
        bytes calldata messages,
        bytes32[] calldata proof
    ) external returns (uint256 delivered);

    /// @notice Try a message again that its recipient did not take, with all gas there is.
    function retry(Message calldata message) external;

    /// @notice Take messages, or take none any more: for the caller.
    function opt(bool open) external;

    /// @notice Stop a lane, or let it go on: for the guardian.
    function pause(bytes32 lane, bool paused) external;

    /// @notice The signers.
    function quorum() external view returns (IQuorum);

    /// @notice What signers sign: EIP-712 `Checkpoint(uint32 set,bytes32 lane,uint32 count,bytes32 root)` in the domain
    /// "Strikelock Checkpoint", version "1", of the source chain and its outbox.
    function digest(Checkpoint calldata checkpoint) external view returns (bytes32);

    /// @notice The lane from an origin to this inbox.
    function laneFrom(uint64 source, address outbox) external view returns (bytes32);

    /// @notice Bit i is whether message 256 * `group` + i of a lane was delivered.
    function delivered(bytes32 lane, uint256 group) external view returns (uint256);

    /// @notice Whether a message waits to be tried again.
    function failed(bytes32 id) external view returns (bool);

    /// @notice How many messages an accepted root covers; zero for a root that was not accepted.
    function accepted(bytes32 lane, bytes32 root) external view returns (uint32 count);

    /// @notice Whether a lane is paused.
    function isPaused(bytes32 lane) external view returns (bool);
}

/// @dev Who a set's members are, and the signatures of a quorum of them.
struct Signed {
    bytes members;
    bytes signatures;
}
