// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @dev What is sent, whole. `index` counts the messages of one lane from zero. `gas` is what the recipient's code gets.
struct Message {
    uint64 source;
    address outbox;
    uint32 index;
    uint64 destination;
    address inbox;
    address sender;
    address recipient;
    uint32 gas;
    bytes payload;
}

/// @title Outbox: messages of one chain, each lane of them a Merkle tree
/// @notice A lane leads from this outbox to one inbox: `keccak256(abi.encode(source, outbox, destination, inbox))`. Its
/// messages are the leaves of a tree of depth 32 that only grows. What is proved elsewhere is a root of it, signed by
/// a quorum, and that a message is a leaf below that root. There is no owner, and nothing to configure.
///
///     leaf  = id = keccak256(abi.encode(MESSAGE_TYPE, source, outbox, index, destination, inbox, sender,
///                            recipient, gas, keccak256(payload)))            320 bytes
///     node  = keccak256(left . right)                                        64 bytes: never a leaf
///     empty leaves are zero; the root is the node at height 32
interface IOutbox {
    /// @notice A message is the lane's next leaf. With the chain and this contract's address it is all of `Message`.
    event Sent(
        bytes32 indexed lane,
        bytes32 indexed id,
        uint32 index,
        uint64 destination,
        address inbox,
        address sender,
        address recipient,
        uint32 gas,
        bytes payload
    );

    /// @notice The payload is longer than `limit` bytes.
    error PayloadTooLong(uint256 length, uint256 limit);
    /// @notice The recipient's code may get at most `limit` gas, or no block could deliver the message.
    error TooMuchGas(uint256 gas, uint256 limit);
    /// @notice A lane has room for 2^32 - 1 messages.
    error LaneFull(bytes32 lane);
    /// @notice Zero is nobody.
    error BadTarget(address inbox, address recipient);

    /// @notice Send `payload` to `recipient` on chain `destination`, by its `inbox`.
    /// @return id the message's, which the recipient is told as well
    function send(uint64 destination, address inbox, address recipient, uint32 gas, bytes calldata payload)
        external
        returns (bytes32 id);

    /// @notice The lane to an inbox.
    function laneTo(uint64 destination, address inbox) external view returns (bytes32);

    /// @notice How many messages a lane has, and the root of their tree.
    function checkpoint(bytes32 lane) external view returns (uint32 count, bytes32 root);
}
