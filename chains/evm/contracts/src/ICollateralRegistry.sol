// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IBitcoinLightClient} from "./IBitcoinLightClient.sol";

/// @title Which legs are funded on Bitcoin, for contracts of this chain
/// @notice Anyone registers, with a proof, that an output pays a leg's script. The light client and the number of
/// confirmations are pinned when the registry is deployed; there is no owner.
///
/// What a record says: this outpoint pays this witness program this many satoshi, in a block that was `depth` deep on the
/// best chain that the light client knew. What it does not say: that the output is unspent still. A spend is known only
/// once someone proves it, so whoever relies on the money being there relies on the leg's own conditions (before its
/// timelock only its paths open it), not on silence here. `stands` judges anew each time it is asked: a block that
/// was reorganised away no longer counts.
interface ICollateralRegistry {
    /// @param program the witness program of the leg's P2WSH address: SHA-256 of its script
    /// @param checkpoint at or after the block, as proved; with `height` it says whether the block still stands
    /// @param amount satoshi
    /// @param spentHeight of the block with the spend, and spentCheckpoint at or after it; zero while none was proved
    struct Collateral {
        bytes32 program;
        bytes32 checkpoint;
        uint64 amount;
        uint32 height;
        uint32 spentHeight;
        bytes32 spentCheckpoint;
    }

    event CollateralRegistered(
        bytes32 indexed program, bytes32 indexed txid, uint256 output, uint64 amount, uint32 height, bytes32 checkpoint
    );
    event CollateralSpent(
        bytes32 indexed program,
        bytes32 indexed txid,
        uint256 output,
        bytes32 spender,
        uint32 height,
        bytes32 checkpoint
    );

    /// @notice A registry that counts no confirmation proves nothing.
    error ZeroDepth();
    /// @notice The same is on record, by the same checkpoint.
    error AlreadyRegistered(bytes32 txid, uint256 output);
    /// @notice No such outpoint is on record.
    error NotRegistered(bytes32 txid, uint256 output);

    /// @notice Put on record that output `output` of the transaction pays the witness program at least `least`
    /// satoshi, deep enough. Again after a reorganisation, with the new block.
    /// @return txid of the transaction, which with `output` is the key of the record
    function register(
        bytes32 program,
        uint256 least,
        bytes calldata transaction,
        uint256 output,
        IBitcoinLightClient.Inclusion calldata proof
    ) external returns (bytes32 txid);

    /// @notice Put on record that a transaction spends a registered outpoint. One confirmation is enough: who relies on the
    /// money should hear of it early, and a spend that is reorganised away counts no more.
    function registerSpend(
        bytes32 txid,
        uint256 output,
        bytes calldata transaction,
        IBitcoinLightClient.Inclusion calldata proof
    ) external;

    /// @notice All zero where there is no record.
    function collateral(bytes32 txid, uint256 output) external view returns (Collateral memory);

    /// @notice Confirmations, now, of the funding and of the proved spend; 0 for what is not on the best chain.
    function confirmations(bytes32 txid, uint256 output) external view returns (uint256 funding, uint256 spend);

    /// @notice The funding is deep enough on the best chain now, and no spend proved so far is on it.
    function stands(bytes32 txid, uint256 output) external view returns (bool);

    function lightClient() external view returns (IBitcoinLightClient);

    /// @notice Confirmations that a funding needs.
    function depth() external view returns (uint256);
}
