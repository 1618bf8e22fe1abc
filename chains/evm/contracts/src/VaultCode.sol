// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

// The init code of every vault, 64 bytes, written by hand. It never returns, so no code is ever
// deployed. It asks the factory (its creator) what to do and does it. The factory answers with one word (recipient)
// to pay native coin, or three (recipient, amount, token) to pay a token. A test assembles the mnemonics and compares.
//
// Memory: 0x00 the selector, then what the token answers; 0x20 recipient; 0x40 amount; 0x60 token.

bytes32 constant VAULT_CODE_0 =
    // ask: staticcall(gas, caller, in 0x00 +0, out 0x20 +0x60)
    hex"6060" //       00 PUSH1 0x60
    hex"6020" //       02 PUSH1 0x20
    hex"5f" //         04 PUSH0
    hex"5f" //         05 PUSH0
    hex"33" //         06 CALLER
    hex"5a" //         07 GAS
    hex"fa" //         08 STATICCALL        [ok]
    // one word back: pay native coin. SELFDESTRUCT runs no code of the recipient
    hex"6020" //       09 PUSH1 0x20
    hex"3d" //         0b RETURNDATASIZE
    hex"18" //         0c XOR
    hex"6014" //       0d PUSH1 0x14
    hex"57" //         0f JUMPI             [ok]
    hex"6020" //       10 PUSH1 0x20
    hex"51" //         12 MLOAD
    hex"ff" //         13 SELFDESTRUCT
    // else the answer must be a token payment
    hex"5b" //         14 JUMPDEST          [ok]
    hex"15" //         15 ISZERO
    hex"603c" //       16 PUSH1 0x3c
    hex"57" //         18 JUMPI             []
    // call(gas, token, 0, in 0x1c +0x44: transfer(recipient, amount), out 0x00 +0x20)
    hex"63a9059cbb" // 19 PUSH4 0xa9059cbb
    hex"5f" //         1e PUSH0
    hex"52"; //        1f MSTORE

bytes32 constant VAULT_CODE_1 =
    hex"6020" //       20 PUSH1 0x20
    hex"5f" //         22 PUSH0
    hex"6044" //       23 PUSH1 0x44
    hex"601c" //       25 PUSH1 0x1c
    hex"5f" //         27 PUSH0
    hex"6060" //       28 PUSH1 0x60
    hex"51" //         2a MLOAD
    hex"5a" //         2b GAS
    hex"f1" //         2c CALL              [ok]
    // it must succeed and return nothing or true; a shorter answer leaves the selector in the word's low bytes
    hex"3d" //         2d RETURNDATASIZE
    hex"15" //         2e ISZERO
    hex"6001" //       2f PUSH1 0x01
    hex"5f" //         31 PUSH0
    hex"51" //         32 MLOAD
    hex"14" //         33 EQ
    hex"17" //         34 OR
    hex"16" //         35 AND
    hex"15" //         36 ISZERO
    hex"603c" //       37 PUSH1 0x3c
    hex"57" //         39 JUMPI             []
    // done; coin that stands here goes to the factory, which passes it on (its account is warm)
    hex"33" //         3a CALLER
    hex"ff" //         3b SELFDESTRUCT
    // refuse: nothing has happened
    hex"5b" //         3c JUMPDEST
    hex"5f" //         3d PUSH0
    hex"5f" //         3e PUSH0
    hex"fd"; //        3f REVERT

/// @dev keccak256 of the 64 bytes
bytes32 constant VAULT_CODE_HASH = 0x102a6e619f10ab957281d6b520487daa04b1e771519eeef21dca531f617d327e;
