// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IInbox, IRecipient} from "./IInbox.sol";

/// @title Bulletin: what a herald on another chain says, as events and for contracts to read
/// @notice It takes messages of one herald by one inbox, and nothing else.
contract Bulletin is IRecipient {
    /// @notice On the herald's chain the leg with these terms was spent by the path with this index.
    event Told(bytes32 indexed terms, uint256 indexed path, address asset, uint256 amount, bytes32 id);

    /// @notice Not by the inbox.
    error NotTheInbox(address caller);
    /// @notice Not from the herald.
    error NotTheHerald(uint64 source, address sender);

    IInbox public immutable INBOX;
    uint64 public immutable SOURCE;
    address public immutable HERALD;

    /// @notice How much of an asset of the herald's chain was spent from a leg by a path.
    mapping(bytes32 terms => mapping(uint256 path => mapping(address asset => uint256))) public spent;

    constructor(IInbox inbox, uint64 source, address herald) {
        INBOX = inbox;
        SOURCE = source;
        HERALD = herald;
        inbox.opt(true);
    }

    function receiveMessage(uint64 source, address sender, bytes32 id, bytes calldata payload) external {
        if (msg.sender != address(INBOX)) revert NotTheInbox(msg.sender);
        if (source != SOURCE || sender != HERALD) revert NotTheHerald(source, sender);
        (bytes32 terms, uint256 path, address asset, uint256 amount) =
            abi.decode(payload, (bytes32, uint256, address, uint256));
        spent[terms][path][asset] += amount;
        emit Told(terms, path, asset, amount, id);
    }
}
