// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IBitcoinLightClient} from "./IBitcoinLightClient.sol";

/// @title Reading transactions that strangers bring: every length is compared with what is left before it is used
/// @dev The whole transaction is read, whatever is looked for, and must end where it says. `cursor` never exceeds the length.
library BitcoinTransactions {
    uint256 private constant VERSION_BYTES = 4;
    uint256 private constant TXID_BYTES = 32;
    uint256 private constant OUTPOINT_BYTES = 36;
    uint256 private constant SEQUENCE_BYTES = 4;
    uint256 private constant AMOUNT_BYTES = 8;
    uint256 private constant LOCK_TIME_BYTES = 4;

    /// @notice What an output pays and to which script.
    function outputOf(bytes calldata raw, uint256 wanted)
        internal
        pure
        returns (uint256 amount, bytes calldata script)
    {
        (uint256 cursor,) = _inputs(raw, 0, 0);
        uint256 outputs;
        (outputs, cursor) = _count(raw, cursor);
        if (wanted >= outputs) revert IBitcoinLightClient.NoSuchOutput(wanted, outputs);
        script = raw[:0];
        for (uint256 i = 0; i < outputs; ++i) {
            uint256 value = _number(raw, cursor, AMOUNT_BYTES);
            uint256 size;
            (size, cursor) = _count(raw, cursor + AMOUNT_BYTES);
            uint256 end = _skip(raw, cursor, size);
            if (i == wanted) (amount, script) = (value, raw[cursor:end]);
            cursor = end;
        }
        _end(raw, cursor);
    }

    /// @notice Whether an input spends the outpoint.
    function spends(bytes calldata raw, bytes32 txid, uint256 output) internal pure returns (bool found) {
        uint256 cursor;
        (cursor, found) = _inputs(raw, txid, output);
        uint256 outputs;
        (outputs, cursor) = _count(raw, cursor);
        if (outputs == 0) revert IBitcoinLightClient.BadTransaction(cursor);
        for (uint256 i = 0; i < outputs; ++i) {
            uint256 size;
            (size, cursor) = _count(raw, _skip(raw, cursor, AMOUNT_BYTES));
            cursor = _skip(raw, cursor, size);
        }
        _end(raw, cursor);
    }

    /// @dev Where the outputs begin, and whether an input spends the outpoint. No inputs is how witnesses announce
    /// themselves (BIP144): such bytes are not what is hashed to the txid.
    function _inputs(bytes calldata raw, bytes32 txid, uint256 output)
        private
        pure
        returns (uint256 cursor, bool found)
    {
        uint256 inputs;
        (inputs, cursor) = _count(raw, _skip(raw, 0, VERSION_BYTES));
        if (inputs == 0) revert IBitcoinLightClient.BadTransaction(cursor);
        for (uint256 i = 0; i < inputs; ++i) {
            uint256 end = _skip(raw, cursor, OUTPOINT_BYTES);
            if (bytes32(raw[cursor:cursor + TXID_BYTES]) == txid && _number(raw, cursor + TXID_BYTES, 4) == output) {
                found = true;
            }
            uint256 size;
            (size, cursor) = _count(raw, end);
            cursor = _skip(raw, _skip(raw, cursor, size), SEQUENCE_BYTES);
        }
    }

    function _end(bytes calldata raw, uint256 cursor) private pure {
        if (_skip(raw, cursor, LOCK_TIME_BYTES) != raw.length) revert IBitcoinLightClient.BadTransaction(cursor);
    }

    function _skip(bytes calldata raw, uint256 cursor, uint256 size) private pure returns (uint256) {
        if (size > raw.length - cursor) revert IBitcoinLightClient.BadTransaction(cursor);
        unchecked {
            return cursor + size;
        }
    }

    /// @dev A little-endian number of at most 32 bytes.
    function _number(bytes calldata raw, uint256 cursor, uint256 size) private pure returns (uint256 value) {
        uint256 end = _skip(raw, cursor, size);
        while (end != cursor) {
            unchecked {
                value = (value << 8) | uint8(raw[--end]);
            }
        }
    }

    /// @dev A CompactSize in its only canonical form, and where it ends.
    function _count(bytes calldata raw, uint256 cursor) private pure returns (uint256 value, uint256 end) {
        value = _number(raw, cursor, 1);
        end = cursor + 1;
        if (value < 0xfd) return (value, end);
        uint256 size = 1 << (value - 0xfc);
        value = _number(raw, end, size);
        if (value < (size == 2 ? 0xfd : 1 << (4 * size))) revert IBitcoinLightClient.BadTransaction(cursor);
        end += size;
    }
}
