// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @dev A struct, so that the place of a balance is computed once where it is read and written.
struct Account {
    uint256 balance;
}

/// @title A plain ERC-20 for local nodes and tests: anyone may mint
contract TestToken {
    string public name;
    string public symbol;
    uint8 public immutable decimals;
    uint256 public totalSupply;
    mapping(address account => Account) private accounts;
    mapping(address owner => mapping(address spender => uint256)) public allowance;

    event Transfer(address indexed from, address indexed to, uint256 value);
    event Approval(address indexed owner, address indexed spender, uint256 value);

    error InsufficientBalance(address from, uint256 balance, uint256 needed);
    error InsufficientAllowance(address spender, uint256 allowance, uint256 needed);

    constructor(string memory name_, string memory symbol_, uint8 decimals_) {
        name = name_;
        symbol = symbol_;
        decimals = decimals_;
    }

    function mint(address to, uint256 value) external {
        totalSupply += value;
        accounts[to].balance += value;
        emit Transfer(address(0), to, value);
    }

    function approve(address spender, uint256 value) external returns (bool) {
        allowance[msg.sender][spender] = value;
        emit Approval(msg.sender, spender, value);
        return true;
    }

    function balanceOf(address account) external view returns (uint256) {
        return accounts[account].balance;
    }

    function transfer(address to, uint256 value) external returns (bool) {
        _transfer(msg.sender, to, value);
        return true;
    }

    function transferFrom(address from, address to, uint256 value) external returns (bool) {
        uint256 allowed = allowance[from][msg.sender];
        if (allowed < value) revert InsufficientAllowance(msg.sender, allowed, value);
        if (allowed != type(uint256).max) allowance[from][msg.sender] = allowed - value;
        _transfer(from, to, value);
        return true;
    }

    function _transfer(address from, address to, uint256 value) private {
        Account storage payer = accounts[from];
        uint256 balance = payer.balance;
        if (balance < value) revert InsufficientBalance(from, balance, value);
        unchecked {
            payer.balance = balance - value; // just compared
            accounts[to].balance += value; // all balances together are totalSupply, which is checked
        }
        emit Transfer(from, to, value);
    }
}
