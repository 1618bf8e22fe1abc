// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IOutbox, Message} from "./IOutbox.sol";
import {Messages} from "./Messages.sol";

/// @title See IOutbox
/// @dev The tree is kept as the deposit contract of Ethereum keeps its: of each height the last left node that still lacks
/// its right neighbour. An append writes one such node, whatever the size of the tree.
contract Outbox is IOutbox {
    struct Lane {
        uint32 count;
        bytes32[32] waiting;
    }

    /// @dev At deployment, and for good: a fork that changes its id must not send in the name of this chain's messages.
    uint64 public immutable SOURCE = uint64(block.chainid);

    mapping(bytes32 lane => Lane) private lanes;

    function send(uint64 destination, address inbox, address recipient, uint32 gas, bytes calldata payload)
        external
        returns (bytes32 id)
    {
        if (payload.length > Messages.MAX_PAYLOAD) revert PayloadTooLong(payload.length, Messages.MAX_PAYLOAD);
        if (gas > Messages.MAX_GAS) revert TooMuchGas(gas, Messages.MAX_GAS);
        if (inbox == address(0) || recipient == address(0)) revert BadTarget(inbox, recipient);
        bytes32 name = laneTo(destination, inbox);
        Lane storage lane = lanes[name];
        uint32 index = lane.count;
        if (index == type(uint32).max) revert LaneFull(name);
        id = Messages.id(Message(SOURCE, address(this), index, destination, inbox, msg.sender, recipient, gas, payload));
        _append(lane, index, id);
        emit Sent(name, id, index, destination, inbox, msg.sender, recipient, gas, payload);
    }

    function laneTo(uint64 destination, address inbox) public view returns (bytes32) {
        return Messages.lane(SOURCE, address(this), destination, inbox);
    }

    function checkpoint(bytes32 name) external view returns (uint32 count, bytes32 root) {
        Lane storage lane = lanes[name];
        count = lane.count;
        bytes32 empty = 0;
        for (uint256 height = 0; height < Messages.DEPTH; ++height) {
            root = (count >> height) & 1 == 1 ? Messages.node(lane.waiting[height], root) : Messages.node(root, empty);
            empty = Messages.node(empty, empty);
        }
    }

    /// @dev A left node waits; a right one is joined with the one that waits, and the pair is the next node above.
    function _append(Lane storage lane, uint32 index, bytes32 node) private {
        lane.count = index + 1;
        for (uint256 height = 0; height < Messages.DEPTH; ++height) {
            if ((index >> height) & 1 == 0) {
                lane.waiting[height] = node;
                return;
            }
            node = Messages.node(lane.waiting[height], node);
        }
    }
}
