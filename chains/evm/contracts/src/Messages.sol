// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Message} from "./IOutbox.sol";

/// @dev What outbox and inbox must hash alike.
library Messages {
    bytes32 internal constant MESSAGE_TYPE = keccak256(
        "Message(uint64 source,address outbox,uint32 index,uint64 destination,address inbox,address sender,address recipient,uint32 gas,bytes payload)"
    );
    uint256 internal constant DEPTH = 32;
    uint256 internal constant MAX_PAYLOAD = 4096; // bytes
    uint256 internal constant MAX_GAS = 2_000_000;

    /// @dev EIP-712's hashStruct. Every field has a place of its own, so no two messages have one encoding.
    function id(Message memory message) internal pure returns (bytes32) {
        return keccak256(
            abi.encode(
                MESSAGE_TYPE,
                message.source,
                message.outbox,
                message.index,
                message.destination,
                message.inbox,
                message.sender,
                message.recipient,
                message.gas,
                keccak256(message.payload)
            )
        );
    }

    function lane(uint64 source, address outbox, uint64 destination, address inbox) internal pure returns (bytes32) {
        return keccak256(abi.encode(source, outbox, destination, inbox));
    }

    /// @dev keccak256(left . right), in scratch space.
    function node(bytes32 left, bytes32 right) internal pure returns (bytes32 hash) {
        assembly ("memory-safe") {
            mstore(0x00, left)
            mstore(0x20, right)
            hash := keccak256(0x00, 0x40)
        }
    }
}
