// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Checkpoint, IInbox, IRecipient, Signed} from "../src/IInbox.sol";
import {IOutbox, Message} from "../src/IOutbox.sol";
import {IQuorum} from "../src/IQuorum.sol";
import {Bad, Empty, IInboxParts, MessagingKit, Returning, Taker} from "./MessagingKit.sol";

/// @notice Messages from an outbox to an inbox, and what must not get through.
/// forge-config: default.isolate = true
/// forge-config: ci.isolate = true
contract MessagesTest is MessagingKit {
    Taker private taker;

    function setUp() public override {
        super.setUp();
        taker = new Taker(inbox);
    }

    // --- the way of a message

    function test_a_message_arrives_with_all_that_was_sent() external {
        bytes32 id = send(address(taker), "hello");
        eq(deliver(0, 1), 1, "delivered");
        eq(taker.taken(), 1, "taken");
        ok(taker.lastId() == id && taker.lastSender() == SENDER && taker.lastSource() == A, "who and what");
        ok(keccak256(taker.lastPayload()) == keccak256("hello"), "payload");
        ok(isDelivered(0) && !inbox.failed(id), "noted");
    }

    function test_ids_and_roots_are_those_of_the_definition() external {
        for (uint256 i = 0; i < 7; ++i) {
            bytes memory payload = new bytes(i * 31);
            bytes32 id = send(address(taker), payload);
            bytes32 kind = keccak256(
                "Message(uint64 source,address outbox,uint32 index,uint64 destination,address inbox,address sender,address recipient,uint32 gas,bytes payload)"
            );
            bytes memory all = abi.encodePacked(
                kind, uint256(A), uint256(uint160(address(outbox))), i, uint256(B), uint256(uint160(address(inbox)))
            );
            all = abi.encodePacked(
                all, uint256(uint160(SENDER)), uint256(uint160(address(taker))), uint256(GAS), keccak256(payload)
            );
            ok(id == keccak256(all), "id");
            (uint32 count, bytes32 root) = outbox.checkpoint(lane);
            eq(count, i + 1, "count");
            ok(root == nodeAt(32, 0, i + 1), "root");
        }
        ok(lane == keccak256(abi.encode(A, address(outbox), B, address(inbox))), "lane");
        ok(lane == outbox.laneTo(B, address(inbox)), "lane");
    }

    function test_lanes_are_trees_of_their_own() external {
        send(address(taker), "here");
        VM.chainId(A);
        outbox.send(B, address(0xdead), address(taker), GAS, "elsewhere");
        outbox.send(B + 1, address(inbox), address(taker), GAS, "elsewhere");
        VM.chainId(B);
        send(address(taker), "here too");
        (uint32 count, bytes32 root) = outbox.checkpoint(lane);
        eq(count, 2, "count");
        ok(root == nodeAt(32, 0, 2), "root");
        eq(deliver(0, 2), 2, "delivered");
    }

    function test_batches_in_any_order_and_overlapping_deliver_each_once() external {
        for (uint256 i = 0; i < 13; ++i) {
            send(address(taker), abi.encode(i));
        }
        eq(deliver(5, 9), 4, "in the middle");
        eq(deliver(0, 7), 5, "those that are new");
        eq(deliver(0, 13), 4, "the rest");
        eq(deliver(0, 13), 0, "nothing");
        eq(taker.taken(), 13, "taken");
        for (uint256 i = 0; i < 13; ++i) {
            eq(taker.times(ids[i]), 1, "once");
        }
    }

    function test_an_accepted_checkpoint_needs_no_signatures_again() external {
        send(address(taker), "one");
        send(address(taker), "two");
        Checkpoint memory checkpoint = checkpointNow();
        Signed memory nothing = Signed("", "");
        VM.expectRevert(abi.encodeWithSelector(IInbox.NotAccepted.selector, lane, checkpoint.root));
        inbox.deliver(checkpoint, nothing, 1, packed(1, 2), proofOf(1, 2, 2));
        deliver(0, 1);
        eq(inbox.accepted(lane, checkpoint.root), 2, "count");
        inbox.deliver(checkpoint, nothing, 1, packed(1, 2), proofOf(1, 2, 2));
        eq(taker.taken(), 2, "taken");
        checkpoint.count = 3; // the same root said to cover more
        VM.expectRevert(abi.encodeWithSelector(IInbox.NotAccepted.selector, lane, checkpoint.root));
        inbox.deliver(checkpoint, nothing, 2, packed(1, 2), proofOf(1, 2, 2));
    }

    function test_old_checkpoints_stay_good_when_more_was_sent() external {
        send(address(taker), "one");
        Checkpoint memory old = checkpointNow();
        send(address(taker), "two");
        send(address(taker), "three");
        inbox.deliver(old, signed(old), 0, packed(0, 1), proofOf(0, 1, 1));
        eq(taker.taken(), 1, "taken");
    }

    function test_what_no_message_may_be() external {
        VM.expectRevert(abi.encodeWithSelector(IOutbox.PayloadTooLong.selector, 4097, 4096));
        outbox.send(B, address(inbox), address(taker), GAS, new bytes(4097));
        VM.expectRevert(abi.encodeWithSelector(IOutbox.TooMuchGas.selector, 2_000_001, 2_000_000));
        outbox.send(B, address(inbox), address(taker), 2_000_001, "");
        VM.expectRevert(abi.encodeWithSelector(IOutbox.BadTarget.selector, address(inbox), address(0)));
        outbox.send(B, address(inbox), address(0), GAS, "");
        VM.expectRevert(abi.encodeWithSelector(IOutbox.BadTarget.selector, address(0), address(taker)));
        outbox.send(B, address(0), address(taker), GAS, "");
    }

    // --- proofs that are none

    function test_messages_that_were_not_sent_are_refused() external {
        send(address(taker), "one");
        send(address(taker), "two");
        Checkpoint memory c = checkpointNow();
        sent[0].payload = "0ne";
        _wrong(c, 0, 1);
        sent[0].payload = "one";
        sent[0].sender = address(taker);
        _wrong(c, 0, 1);
        sent[0].sender = SENDER;
        sent[0].recipient = SENDER;
        _wrong(c, 0, 1);
        sent[0].recipient = address(taker);
        sent[0].gas = GAS + 1;
        _wrong(c, 0, 1);
        sent[0].gas = GAS;
        deliver(0, 1);
        eq(taker.taken(), 1, "taken");
    }

    function test_an_index_is_part_of_the_message() external {
        send(address(taker), "same");
        send(address(taker), "same");
        Checkpoint memory c = checkpointNow();
        Signed memory s = signed(c);
        bytes32[] memory proof = proofOf(0, 1, 2);
        bytes memory first = packed(0, 1);
        _reverts(abi.encodeCall(inbox.deliver, (c, s, 1, first, proof)));
        _reverts(abi.encodeCall(inbox.deliver, (c, s, 0, first, proofOf(1, 2, 2))));
    }

    function test_places_beyond_the_checkpoint_are_refused() external {
        send(address(taker), "one");
        Checkpoint memory old = checkpointNow();
        send(address(taker), "two");
        Signed memory s = signed(old);
        VM.expectRevert(abi.encodeWithSelector(IInbox.OutOfRange.selector, 1, 2, 1));
        inbox.deliver(old, s, 1, packed(1, 2), proofOf(1, 2, 2));
        VM.expectRevert(abi.encodeWithSelector(IInbox.OutOfRange.selector, 0, 2, 1));
        inbox.deliver(old, s, 0, packed(0, 2), proofOf(0, 2, 2));
        VM.expectRevert(abi.encodeWithSelector(IInbox.OutOfRange.selector, type(uint32).max, 2 ** 32, 1));
        inbox.deliver(old, s, type(uint32).max, packed(0, 1), proofOf(0, 1, 1));
        VM.expectRevert(abi.encodeWithSelector(IInbox.OutOfRange.selector, 0, 0, 1));
        inbox.deliver(old, s, 0, "", proofOf(0, 1, 1));
    }

    function test_a_node_is_no_leaf() external {
        for (uint256 i = 0; i < 4; ++i) {
            send(address(taker), abi.encode(i));
        }
        // a leaf in the place of the node above it and its neighbour: the tree has a depth, so the root is another
        Checkpoint memory c = checkpointNow();
        Signed memory s = signed(c);
        bytes32[] memory proof = proofOf(0, 2, 4);
        _reverts(abi.encodeCall(inbox.deliver, (c, s, 0, packed(0, 1), proof)));
        c.count = 2; // and who signs for two messages below that root signs a lie
        _reverts(abi.encodeCall(inbox.deliver, (c, s, 0, packed(0, 1), proofOf(0, 1, 2))));
        c.count = 4;
        // the packed bytes of a node are too short to be a message
        VM.expectRevert(IInbox.CutShort.selector);
        inbox.deliver(c, s, 0, abi.encodePacked(ids[0], bytes15(0)), proof);
    }

    function test_proofs_with_more_or_less_than_they_need() external {
        for (uint256 i = 0; i < 3; ++i) {
            send(address(taker), abi.encode(i));
        }
        Checkpoint memory c = checkpointNow();
        Signed memory s = signed(c);
        bytes32[] memory proof = proofOf(0, 1, 3);
        bytes32[] memory longer = new bytes32[](proof.length + 1);
        bytes32[] memory shorter = new bytes32[](proof.length - 1);
        for (uint256 i = 0; i < proof.length; ++i) {
            longer[i] = proof[i];
            if (i < shorter.length) shorter[i] = proof[i];
        }
        _reverts(abi.encodeCall(inbox.deliver, (c, s, 0, packed(0, 1), longer)));
        _reverts(abi.encodeCall(inbox.deliver, (c, s, 0, packed(0, 1), shorter)));
        _reverts(abi.encodeCall(inbox.deliver, (c, s, 0, abi.encodePacked(packed(0, 1), bytes1(0)), proof)));
        eq(taker.taken(), 0, "taken");
    }

    function test_nothing_is_replayed_on_another_lane_or_deployment() external {
        send(address(taker), "one");
        Checkpoint memory c = checkpointNow();
        Signed memory s = signed(c);
        IInbox other = newInbox(quorum);
        VM.expectRevert(abi.encodeWithSelector(IInbox.NoSuchLane.selector, lane));
        other.deliver(c, s, 0, packed(0, 1), proofOf(0, 1, 1));
        c.lane = other.laneFrom(A, address(outbox));
        _reverts(address(other), abi.encodeCall(inbox.deliver, (c, s, 0, packed(0, 1), proofOf(0, 1, 1))));
        // the same contracts on another chain
        VM.chainId(B + 1);
        IInbox elsewhere = newInbox(quorum);
        c.lane = elsewhere.laneFrom(A, address(outbox));
        ok(c.lane != lane, "lane");
        _reverts(address(elsewhere), abi.encodeCall(inbox.deliver, (c, s, 0, packed(0, 1), proofOf(0, 1, 1))));
        // and an outbox that this inbox does not know
        VM.chainId(B);
        c.lane = inbox.laneFrom(A + 1, address(outbox));
        VM.expectRevert(abi.encodeWithSelector(IInbox.NoSuchLane.selector, c.lane));
        inbox.deliver(c, s, 0, packed(0, 1), proofOf(0, 1, 1));
    }

    function test_a_fork_of_the_destination_keeps_its_lanes() external {
        send(address(taker), "one");
        VM.chainId(B + 7); // the chain changed its id after a fork; what was sent to it still arrives
        Checkpoint memory c = checkpointNow();
        inbox.deliver(c, signed(c), 0, packed(0, 1), proofOf(0, 1, 1));
        eq(taker.taken(), 1, "taken");
    }

    // --- recipients

    function test_a_recipient_that_fails_holds_up_nobody() external {
        Bad.Way[4] memory ways = [Bad.Way.REVERT, Bad.Way.BURN, Bad.Way.BOMB, Bad.Way.INVALID];
        Bad[4] memory bad;
        for (uint256 i = 0; i < 4; ++i) {
            bad[i] = new Bad(inbox, ways[i]);
            send(address(bad[i]), 200_000, "x");
            send(address(taker), 200_000, "y");
        }
        uint256 before = gasleft();
        eq(deliver(0, 8), 8, "delivered");
        ok(before - gasleft() < 2_000_000, "a bomb is not paid for");
        eq(taker.taken(), 4, "taken");
        for (uint256 i = 0; i < 4; ++i) {
            ok(inbox.failed(ids[2 * i]), "noted as failed");
            VM.expectRevert(abi.encodeWithSelector(IInbox.FailedAgain.selector, ids[2 * i]));
            inbox.retry{gas: 3_000_000}(sent[2 * i]);
            bad[i].set(Bad.Way.TAKE);
            VM.prank(address(0xA11)); // anyone
            inbox.retry(sent[2 * i]);
            eq(bad[i].taken(), 1, "taken at last");
            VM.expectRevert(abi.encodeWithSelector(IInbox.NotFailed.selector, ids[2 * i]));
            inbox.retry(sent[2 * i]);
        }
    }

    function test_what_did_not_fail_is_not_tried_again() external {
        send(address(taker), "one");
        VM.expectRevert(abi.encodeWithSelector(IInbox.NotFailed.selector, ids[0]));
        inbox.retry(sent[0]); // not delivered yet
        deliver(0, 1);
        VM.expectRevert(abi.encodeWithSelector(IInbox.NotFailed.selector, ids[0]));
        inbox.retry(sent[0]);
    }

    function test_too_little_gas_is_the_pushers_fault() external {
        send(address(taker), 500_000, "one");
        bytes memory call = deliverCall(0, 1);
        for (uint256 gas = 200_000; gas < 900_000; gas += 50_000) {
            (bool done,) = address(inbox).call{gas: gas}(call);
            if (done) {
                eq(taker.taken(), 1, "taken");
                return;
            }
            ok(!isDelivered(0), "as if nothing had been");
        }
        ok(false, "it was never enough");
    }

    function test_recipients_opt_in() external {
        send(address(this), "one");
        deliver(0, 1);
        ok(inbox.failed(ids[0]), "it did not ask for messages");
        VM.expectRevert(abi.encodeWithSelector(IInbox.FailedAgain.selector, ids[0]));
        inbox.retry(sent[0]);
        inbox.opt(true);
        inbox.retry(sent[0]);
        eq(received, 1, "received");
        inbox.opt(false);
        send(address(this), "two");
        deliver(1, 2);
        ok(inbox.failed(ids[1]), "it takes none any more");
    }

    uint256 private received;

    function receiveMessage(uint64, address, bytes32, bytes calldata) external {
        ++received;
    }

    function test_no_message_can_make_the_contracts_call_each_other() external {
        address[4] memory targets = [address(inbox), address(outbox), address(quorum), address(vaults)];
        for (uint256 i = 0; i < 4; ++i) {
            send(targets[i], abi.encodeWithSignature("pause(bytes32,bool)", lane, true));
        }
        deliver(0, 4);
        for (uint256 i = 0; i < 4; ++i) {
            ok(inbox.failed(ids[i]), "nobody opts in for them");
        }
        ok(!inbox.isPaused(lane), "not paused");
    }

    function test_coming_back_in_delivers_nothing_twice() external {
        Returning back = new Returning(inbox);
        send(address(back), 2_000_000, "one");
        send(address(taker), "two");
        back.arm(deliverCall(0, 2));
        eq(deliver(0, 2), 1, "the other came with the return");
        ok(back.came(), "it came back in");
        eq(back.taken(), 1, "once");
        eq(taker.taken(), 1, "once");
    }

    function test_a_retry_that_comes_back_in_delivers_nothing_twice() external {
        Returning back = new Returning(inbox);
        send(address(back), "one");
        VM.prank(address(back));
        inbox.opt(false);
        deliver(0, 1);
        VM.prank(address(back));
        inbox.opt(true);
        back.arm(abi.encodeCall(inbox.retry, (sent[0])));
        inbox.retry(sent[0]);
        ok(!back.came(), "refused");
        eq(back.taken(), 1, "once");
    }

    // --- the guardian

    function test_the_guardian_pauses_and_nothing_else() external {
        send(address(taker), "one");
        VM.expectRevert(abi.encodeWithSelector(IInbox.NotGuardian.selector, address(this)));
        inbox.pause(lane, true);
        VM.prank(GUARDIAN);
        inbox.pause(lane, true);
        Checkpoint memory c = checkpointNow();
        Signed memory s = signed(c);
        VM.expectRevert(abi.encodeWithSelector(IInbox.LanePaused.selector, lane));
        inbox.deliver(c, s, 0, packed(0, 1), proofOf(0, 1, 1));
        VM.expectRevert(abi.encodeWithSelector(IInbox.LanePaused.selector, lane));
        inbox.retry(sent[0]);
        VM.prank(GUARDIAN);
        VM.expectRevert(abi.encodeWithSelector(IInbox.NoSuchLane.selector, bytes32(0)));
        inbox.pause(0, true);
        // legs are spent meanwhile as ever
        pay(vaultOf(swapLeg(COIN, "a")), 1 ether);
        VM.chainId(chain);
        claim(swapLeg(COIN, "a"), COIN);
        VM.chainId(B);
        VM.prank(GUARDIAN);
        inbox.pause(lane, false);
        eq(deliver(0, 1), 1, "delivered");
    }

    // --- costs

    function test_gas_of_a_batch_of_fifty() external {
        Empty empty = new Empty(inbox);
        for (uint256 i = 0; i < 50; ++i) {
            send(address(empty), abi.encode(i));
        }
        bytes memory call = deliverCall(0, 50);
        uint256 before = gasleft();
        (bool done,) = address(inbox).call(call);
        uint256 used = before - gasleft();
        ok(done, "delivered");
        ok(used / 50 < 45_000, "gas a message");
    }

    // --- inside

    function _wrong(Checkpoint memory c, uint256 first, uint256 end) private {
        Signed memory s = signed(c);
        _reverts(abi.encodeCall(inbox.deliver, (c, s, uint32(first), packed(first, end), proofOf(first, end, c.count))));
    }

    function _reverts(bytes memory call) private {
        _reverts(address(inbox), call);
    }

    function _reverts(address target, bytes memory call) private {
        (bool done,) = target.call(call);
        ok(!done, "it went through");
    }
}
