// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IInbox, IRecipient} from "./IInbox.sol";

/// @title Takes messages and does nothing: what a delivery costs at least, for local nodes and tests
contract TestRecipient is IRecipient {
    constructor(IInbox inbox) {
        inbox.opt(true);
    }

    function receiveMessage(uint64, address, bytes32, bytes calldata) external {}
}
