// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Checkpoint, Signed} from "../src/IInbox.sol";
import {Bad, MessagingKit, Taker} from "./MessagingKit.sol";

/// @dev What strangers do to a lane, in any order: send, deliver any range under any checkpoint, try again, break and mend.
contract Courier is MessagingKit {
    Taker public taker;
    Bad public bad;
    uint256 public delivered;
    uint256 public failures;
    uint256 public mended;
    Checkpoint[] private checkpoints;

    constructor() {
        setUp();
        taker = new Taker(inbox);
        bad = new Bad(inbox, Bad.Way.REVERT);
    }

    function sendSome(uint256 seed) external {
        uint256 n = 1 + seed % 5;
        for (uint256 i = 0; i < n; ++i) {
            send((seed >> i) % 3 == 0 ? address(bad) : address(taker), abi.encode(seed, i));
        }
        checkpoints.push(checkpointNow());
    }

    function deliverSome(uint256 which, uint256 from, uint256 length) external {
        if (checkpoints.length == 0) return;
        Checkpoint memory c = checkpoints[which % checkpoints.length];
        uint256 first = from % c.count;
        uint256 end = first + 1 + length % (c.count - first);
        delivered += inbox.deliver(c, signed(c), uint32(first), packed(first, end), proofOf(first, end, c.count));
    }

    function breakOrMend(uint256 way) external {
        bad.set(Bad.Way(way % 5));
    }

    function tryAgain(uint256 which) external {
        if (ids.length == 0) return;
        uint256 index = which % ids.length;
        (bool done,) = address(inbox).call{gas: 1_000_000}(abi.encodeCall(inbox.retry, (sent[index])));
        if (done) ++mended;
    }

    function count() external view returns (uint256) {
        return ids.length;
    }

    function stateOf(uint256 index) external view returns (bool done, bool failed, uint256 times, bool toTaker) {
        return (
            isDelivered(index),
            inbox.failed(ids[index]),
            taker.times(ids[index]),
            sent[index].recipient == address(taker)
        );
    }
}

/// @notice Each message is delivered exactly once, whatever is done.
/// forge-config: ci.invariant.runs = 1000
contract MessagesInvariantTest {
    Courier private courier;

    struct FuzzSelector {
        address addr;
        bytes4[] selectors;
    }

    function setUp() external {
        courier = new Courier();
    }

    function targetSelectors() external view returns (FuzzSelector[] memory targets) {
        targets = new FuzzSelector[](1);
        bytes4[] memory selectors = new bytes4[](5);
        selectors[0] = Courier.sendSome.selector;
        selectors[1] = Courier.deliverSome.selector;
        selectors[2] = Courier.deliverSome.selector;
        selectors[3] = Courier.breakOrMend.selector;
        selectors[4] = Courier.tryAgain.selector;
        targets[0] = FuzzSelector(address(courier), selectors);
    }

    function targetContracts() external view returns (address[] memory all) {
        all = new address[](1);
        all[0] = address(courier);
    }

    function invariant_exactly_once() external view {
        uint256 done = 0;
        uint256 waiting = 0;
        uint256 forBad = 0;
        for (uint256 i = 0; i < courier.count(); ++i) {
            (bool delivered, bool failed, uint256 times, bool toTaker) = courier.stateOf(i);
            require(toTaker ? times == (delivered ? 1 : 0) : times == 0, "taken once when delivered");
            require(!failed || (delivered && !toTaker), "only what was delivered can have failed");
            if (delivered) ++done;
            if (failed) ++waiting;
            if (delivered && !toTaker) ++forBad;
        }
        require(done == courier.delivered(), "the sum of what deliveries said");
        require(courier.bad().taken() == forBad - waiting, "mended or taken, once");
    }
}

/// @notice Any range of any tree is proved, and nothing else.
/// forge-config: ci.fuzz.runs = 2000
contract MessagesFuzzTest is MessagingKit {
    Taker private taker;

    function setUp() public override {
        super.setUp();
        taker = new Taker(inbox);
        for (uint256 i = 0; i < 40; ++i) {
            send(address(taker), abi.encode(i));
        }
    }

    function testFuzz_ranges(uint256 from, uint256 length) external {
        uint256 first = from % 40;
        uint256 end = first + 1 + length % (40 - first);
        eq(deliver(first, end), end - first, "delivered");
        eq(taker.taken(), end - first, "taken");
    }

    function testFuzz_changed_proofs_are_refused(uint256 from, uint256 length, uint256 which, uint256 flip) external {
        uint256 first = from % 40;
        uint256 end = first + 1 + length % (40 - first);
        Checkpoint memory c = checkpointNow();
        Signed memory s = signed(c);
        bytes32[] memory proof = proofOf(first, end, 40);
        bytes memory messages = packed(first, end);
        if (proof.length > 0 && which % 2 == 0) {
            proof[which % proof.length] ^= bytes32(uint256(1) << (flip % 256));
        } else {
            // not the four bytes of a length, which would cut the message elsewhere: that reverts as well, but is not a proof
            messages[flip % messages.length] ^= bytes1(uint8(1 << (which % 8)));
        }
        (bool done,) = address(inbox).call(abi.encodeCall(inbox.deliver, (c, s, uint32(first), messages, proof)));
        ok(!done, "a changed proof or message went through");
    }
}
