// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IOutbox} from "./IOutbox.sol";
import {IVaults} from "./IVaults.sol";

/// @title Herald: spends a leg and tells another chain of it, in one transaction
/// @notice A vault pays whom its terms say, whoever pushes the spend. Pushed through here, the spend is a fact that a message can
/// state: this contract calls the factory itself and sends only what was really moved. The premium of an option taken on
/// one chain becomes known on another so. It holds nothing and has no owner; a recipient that trusts its code and the
/// lane's quorum knows that the leg with these terms was spent by this path.
contract Herald {
    /// @notice The spend moved nothing of the asset.
    error NothingMoved(bytes32 terms);

    IVaults public immutable VAULTS;
    IOutbox public immutable OUTBOX;

    constructor(IVaults vaults, IOutbox outbox) {
        VAULTS = vaults;
        OUTBOX = outbox;
    }

    /// @notice `IVaults.spend`, and a message `abi.encode(terms, index of the path, asset, amount)` to `recipient`.
    /// @return id the message's
    function spend(
        address asset,
        uint256 path,
        bytes32[] calldata witness,
        uint64 destination,
        address inbox,
        address recipient,
        uint32 gas
    ) external returns (bytes32 id) {
        bytes32 terms = VAULTS.termsOf(path, witness);
        address[] memory vault = new address[](1);
        vault[0] = VAULTS.addressOf(terms);
        uint256 amount = VAULTS.balances(vault, asset)[0];
        VAULTS.spend(asset, path, witness);
        amount -= VAULTS.balances(vault, asset)[0];
        if (amount == 0) revert NothingMoved(terms);
        id = OUTBOX.send(destination, inbox, recipient, gas, abi.encode(terms, path >> 240, asset, amount));
    }
}
