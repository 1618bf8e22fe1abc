// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @dev Tokens as they are found on chains, and worse. Each departs from the standard in what its name says.
abstract contract Ledger {
    mapping(address account => uint256) public balanceOf;

    function mint(address to, uint256 value) external {
        balanceOf[to] += value;
    }

    function _move(address to, uint256 value) internal {
        balanceOf[msg.sender] -= value;
        balanceOf[to] += value;
    }
}

contract PlainToken is Ledger {
    function transfer(address to, uint256 value) external virtual returns (bool) {
        _move(to, value);
        return true;
    }
}

/// @dev Like Tether's: no return value.
contract SilentToken is Ledger {
    function transfer(address to, uint256 value) external {
        _move(to, value);
    }
}

/// @dev Moves and yet says false, until told otherwise.
contract FalseToken is Ledger {
    bool public answer;

    function say(bool answer_) external {
        answer = answer_;
    }

    function transfer(address to, uint256 value) external returns (bool) {
        _move(to, value);
        return answer;
    }
}

/// @dev Says true and moves nothing.
contract LyingToken is Ledger {
    function transfer(address, uint256) external pure returns (bool) {
        return true;
    }
}

/// @dev Pays interest to whoever sends: more is there after a transfer than before.
contract GrowingToken is Ledger {
    function transfer(address to, uint256 value) external returns (bool) {
        _move(to, value);
        balanceOf[msg.sender] += 2 * value;
        return true;
    }
}

contract RevertingToken is Ledger {
    function transfer(address, uint256) external pure {
        revert("paused");
    }
}

/// @dev Returns `size` bytes, all of them `filler`.
contract OddToken is Ledger {
    uint256 public size;
    bytes1 public filler;

    function answer(uint256 size_, bytes1 filler_) external {
        (size, filler) = (size_, filler_);
    }

    function transfer(address to, uint256 value) external {
        _move(to, value);
        bytes memory data = new bytes(size);
        for (uint256 i = 0; i < size && i < 64; ++i) {
            data[i] = filler;
        }
        assembly ("memory-safe") {
            return(add(data, 0x20), mload(data))
        }
    }
}

/// @dev Two is not true.
contract TwoToken is Ledger {
    function transfer(address to, uint256 value) external returns (uint256) {
        _move(to, value);
        return 2;
    }
}

/// @dev One percent of every transfer is burned.
contract FeeToken is Ledger {
    function transfer(address to, uint256 value) external returns (bool) {
        _move(to, value);
        balanceOf[to] -= value / 100;
        return true;
    }
}

/// @dev Shares round: one unit stays behind.
contract RoundingToken is Ledger {
    function transfer(address to, uint256 value) external returns (bool) {
        _move(to, value > 1 ? value - 1 : value);
        return true;
    }
}

/// @dev Burns all the gas it is given when it pays from `victim`.
contract GreedyToken is Ledger {
    address public victim;

    function choose(address victim_) external {
        victim = victim_;
    }

    function transfer(address to, uint256 value) external returns (bool) {
        if (msg.sender == victim) {
            while (true) {}
        }
        _move(to, value);
        return true;
    }
}

/// @dev Runs what its deployer prepared in the middle of a transfer, and remembers how it went.
contract HookedToken is Ledger {
    struct Step {
        address target;
        uint256 value;
        bytes data;
    }

    Step[] public steps;
    bool[] public done;
    bytes[] public answers;

    function prepare(address target, uint256 value, bytes calldata data) external payable {
        steps.push(Step(target, value, data));
    }

    function transfer(address to, uint256 value) external returns (bool) {
        _move(to, value);
        for (uint256 i = 0; i < steps.length; ++i) {
            (bool ok, bytes memory answer) = steps[i].target.call{value: steps[i].value}(steps[i].data);
            done.push(ok);
            answers.push(answer);
        }
        return true;
    }
}

/// @dev Not a token, but takes no coin either: its code must not run when it is paid.
contract Unpayable {
    fallback() external payable {
        revert("no");
    }
}
