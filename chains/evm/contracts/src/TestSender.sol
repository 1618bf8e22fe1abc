// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IOutbox} from "./IOutbox.sol";

/// @title Sends many messages in one transaction: a backlog, for local nodes and tests
contract TestSender {
    function burst(IOutbox outbox, uint64 destination, address inbox, address recipient, uint32 gas, uint256 count)
        external
    {
        for (uint256 i = 0; i < count; ++i) {
            outbox.send(destination, inbox, recipient, gas, abi.encode(i));
        }
    }
}
