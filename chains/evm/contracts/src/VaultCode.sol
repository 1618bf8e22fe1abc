// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @dev The init code of every vault, written by hand; it never returns, so no code is ever deployed. It asks the
/// factory (its creator) what to do and then does it. The factory answers with one word (recipient) to pay native
/// coin, or three (recipient, amount, token) to pay a token. `tests/contracts` assembles the listing and compares.
///
/// Memory: 0x00 selector and answers of the token, 0x20 recipient, 0x40 amount, 0x60 token.
bytes constant VAULT_CODE =
    // ask: staticcall(gas, caller, in 0x00 +0, out 0x20 +0x60)
    hex"6060" //   00 PUSH1 0x60
    hex"6020" //   02 PUSH1 0x20
    hex"5f" //     04 PUSH0
    hex"5f" //     05 PUSH0
    hex"33" //     06 CALLER
    hex"5a" //     07 GAS
    hex"fa" //     08 STATICCALL            [ok]
    // one word back: pay native coin. SELFDESTRUCT runs no code of the recipient
    hex"6020" //   09 PUSH1 0x20
    hex"3d" //     0b RETURNDATASIZE
    hex"18" //     0c XOR
    hex"6014" //   0d PUSH1 0x14
    hex"57" //     0f JUMPI                 [ok]
    hex"6020" //   10 PUSH1 0x20
    hex"51" //     12 MLOAD
    hex"ff" //     13 SELFDESTRUCT
    // else the answer must be a token payment
    hex"5b" //     14 JUMPDEST              [ok]
    hex"15" //     15 ISZERO
    hex"6055" //   16 PUSH1 0x55
    hex"57" //     18 JUMPI                 []
    // call(gas, token, 0, "transfer(recipient, amount)", out 0x00 +0x20)
    hex"63a9059cbb" // 19 PUSH4 transfer(address,uint256)
    hex"5f" //     1e PUSH0
    hex"52" //     1f MSTORE
    hex"6020" //   20 PUSH1 0x20
    hex"5f" //     22 PUSH0
    hex"6044" //   23 PUSH1 0x44
    hex"601c" //   25 PUSH1 0x1c
    hex"5f" //     27 PUSH0
    hex"6060" //   28 PUSH1 0x60
    hex"51" //     2a MLOAD
    hex"5a" //     2b GAS
    hex"f1" //     2c CALL                  [ok]
    // it must succeed and return either nothing or true; a shorter answer leaves the selector in the low bytes
    hex"3d" //     2d RETURNDATASIZE
    hex"15" //     2e ISZERO
    hex"6001" //   2f PUSH1 0x01
    hex"5f" //     31 PUSH0
    hex"51" //     32 MLOAD
    hex"14" //     33 EQ
    hex"17" //     34 OR
    hex"16" //     35 AND
    hex"15" //     36 ISZERO
    hex"6055" //   37 PUSH1 0x55
    hex"57" //     39 JUMPI                 []
    // coin that stands here goes along, else it would be burned; the factory is told how much, for its event
    hex"47" //     3a SELFBALANCE
    hex"6040" //   3b PUSH1 0x40
    hex"57" //     3d JUMPI
    hex"33" //     3e CALLER                nothing to pay, and the caller's account is warm
    hex"ff" //     3f SELFDESTRUCT
    hex"5b" //     40 JUMPDEST
    hex"47" //     41 SELFBALANCE
    hex"5f" //     42 PUSH0
    hex"52" //     43 MSTORE
    // call(gas, caller, 0, in 0x00 +0x20, out none)
    hex"5f" //     44 PUSH0
    hex"5f" //     45 PUSH0
    hex"6020" //   46 PUSH1 0x20
    hex"5f" //     48 PUSH0
    hex"5f" //     49 PUSH0
    hex"33" //     4a CALLER
    hex"5a" //     4b GAS
    hex"f1" //     4c CALL                  [ok]
    hex"15" //     4d ISZERO
    hex"6055" //   4e PUSH1 0x55
    hex"57" //     50 JUMPI                 []
    hex"6020" //   51 PUSH1 0x20
    hex"51" //     53 MLOAD
    hex"ff" //     54 SELFDESTRUCT
    // refuse: nothing has happened
    hex"5b" //     55 JUMPDEST
    hex"5f" //     56 PUSH0
    hex"5f" //     57 PUSH0
    hex"fd"; //    58 REVERT

/// @dev keccak256(VAULT_CODE)
bytes32 constant VAULT_CODE_HASH = 0xd71b1a29eeb1eff22c0eaece2d8e698d9a0befade4aa5e5a4c0574149f52610c;
