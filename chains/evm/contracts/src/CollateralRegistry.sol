// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IBitcoinLightClient} from "./IBitcoinLightClient.sol";
import {ICollateralRegistry} from "./ICollateralRegistry.sol";

/// @title The book of proved collateral; see ICollateralRegistry
contract CollateralRegistry is ICollateralRegistry {
    IBitcoinLightClient public immutable lightClient;
    uint256 public immutable depth;
    mapping(bytes32 txid => mapping(uint256 output => Collateral)) private records;

    bytes2 private constant P2WSH = 0x0020; // version 0, push of 32 bytes (BIP141)

    constructor(IBitcoinLightClient lightClient_, uint256 depth_) {
        if (depth_ == 0) revert ZeroDepth();
        lightClient = lightClient_;
        depth = depth_;
    }

    /// @inheritdoc ICollateralRegistry
    function register(
        bytes32 program,
        uint256 least,
        bytes calldata transaction,
        uint256 output,
        IBitcoinLightClient.Inclusion calldata proof
    ) external returns (bytes32) {
        (IBitcoinLightClient.Place memory place, uint256 paid) = lightClient.proveOutput(
            transaction, output, abi.encodePacked(P2WSH, program), least, proof, depth
        );
        Collateral storage found = records[place.txid][output];
        if (found.checkpoint == place.checkpoint && found.height == place.height) {
            revert AlreadyRegistered(place.txid, output);
        }
        found.program = program;
        found.checkpoint = place.checkpoint;
        found.amount = uint64(paid); // of eight bytes
        found.height = place.height;
        emit CollateralRegistered(program, place.txid, output, uint64(paid), place.height, place.checkpoint);
        return place.txid;
    }

    /// @inheritdoc ICollateralRegistry
    function registerSpend(
        bytes32 txid,
        uint256 output,
        bytes calldata transaction,
        IBitcoinLightClient.Inclusion calldata proof
    ) external {
        Collateral storage found = _found(txid, output);
        IBitcoinLightClient.Place memory place = lightClient.proveSpend(transaction, txid, output, proof, 1);
        if (found.spentCheckpoint == place.checkpoint && found.spentHeight == place.height) {
            revert AlreadyRegistered(txid, output);
        }
        found.spentCheckpoint = place.checkpoint;
        found.spentHeight = place.height;
        emit CollateralSpent(found.program, txid, output, place.txid, place.height, place.checkpoint);
    }

    /// @inheritdoc ICollateralRegistry
    function collateral(bytes32 txid, uint256 output) external view returns (Collateral memory) {
        return records[txid][output];
    }

    /// @inheritdoc ICollateralRegistry
    function confirmations(bytes32 txid, uint256 output) public view returns (uint256 funding, uint256 spend) {
        Collateral storage found = _found(txid, output);
        funding = lightClient.confirmations(found.checkpoint, found.height);
        if (found.spentCheckpoint != 0) spend = lightClient.confirmations(found.spentCheckpoint, found.spentHeight);
    }

    /// @inheritdoc ICollateralRegistry
    function stands(bytes32 txid, uint256 output) external view returns (bool) {
        (uint256 funding, uint256 spend) = confirmations(txid, output);
        return funding >= depth && spend == 0;
    }

    function _found(bytes32 txid, uint256 output) private view returns (Collateral storage found) {
        found = records[txid][output];
        if (found.checkpoint == 0) revert NotRegistered(txid, output);
    }
}
