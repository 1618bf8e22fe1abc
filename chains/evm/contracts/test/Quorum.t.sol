// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Checkpoint, IInbox, Signed} from "../src/IInbox.sol";
import {IQuorum} from "../src/IQuorum.sol";
import {MessagingKit, Taker} from "./MessagingKit.sol";

/// @notice Who may sign, how many must, and what is no signature.
/// forge-config: default.isolate = true
/// forge-config: ci.isolate = true
contract QuorumTest is MessagingKit {
    uint256 private constant ORDER = 0xfffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141;
    bytes32 private constant DIGEST = keccak256("what is signed");

    function test_more_than_two_thirds_must_sign() external {
        for (uint256 n = 2; n <= 7; ++n) {
            quorum = newQuorum(membersOf(n), false);
            uint256 needed = 2 * n / 3 + 1;
            eq(quorum.threshold(n), needed, "threshold");
            uint256[] memory keys = keysOf(n, 1000);
            quorum.verify(DIGEST, 1, membersOf(n), signatures(keys, needed, DIGEST));
            quorum.verify(DIGEST, 1, membersOf(n), signatures(keys, n, DIGEST));
            VM.expectRevert(abi.encodeWithSelector(IQuorum.NotEnough.selector, needed - 1, needed));
            quorum.verify(DIGEST, 1, membersOf(n), signatures(keys, needed - 1, DIGEST));
        }
    }

    function test_any_quorum_of_the_members_will_do() external view {
        uint256[] memory keys = keysOf(SIGNERS, 1000);
        for (uint256 out = 0; out < SIGNERS; ++out) {
            uint256[] memory some = new uint256[](3);
            uint256 n = 0;
            for (uint256 i = 0; i < SIGNERS; ++i) {
                if (i != out) some[n++] = keys[i];
            }
            quorum.verify(DIGEST, 1, membersOf(SIGNERS), signatures(some, 3, DIGEST));
        }
    }

    function test_a_signature_counts_once() external {
        uint256[] memory keys = keysOf(SIGNERS, 1000);
        bytes memory one = compact(keys[0], DIGEST);
        _refused(abi.encodePacked(one, one, compact(keys[1], DIGEST)));
        _refused(abi.encodePacked(one, one, one));
        _refused(abi.encodePacked(one, compact(keys[1], DIGEST), compact(keys[1], DIGEST)));
        bytes memory last = compact(keys[3], DIGEST);
        _refused(abi.encodePacked(one, last, last));
    }

    function test_signatures_are_in_the_order_of_the_members() external {
        uint256[] memory keys = keysOf(SIGNERS, 1000);
        _refused(abi.encodePacked(compact(keys[1], DIGEST), compact(keys[0], DIGEST), compact(keys[2], DIGEST)));
        _refused(abi.encodePacked(compact(keys[0], DIGEST), compact(keys[3], DIGEST), compact(keys[2], DIGEST)));
    }

    function test_strangers_and_other_digests_are_refused() external {
        uint256[] memory keys = keysOf(SIGNERS, 1000);
        bytes memory two = signatures(keys, 2, DIGEST);
        _refused(abi.encodePacked(two, compact(0xbad, DIGEST)));
        _refused(abi.encodePacked(two, compact(keys[2], keccak256("something else"))));
        _refused(abi.encodePacked(two, bytes32(0), bytes32(0)));
        _refused(abi.encodePacked(two, type(uint256).max, type(uint256).max));
        VM.expectRevert(abi.encodeWithSelector(IQuorum.NotEnough.selector, 2, 3));
        quorum.verify(DIGEST, 1, membersOf(SIGNERS), two);
        VM.expectRevert(abi.encodeWithSelector(IQuorum.NotEnough.selector, 3, 3));
        quorum.verify(DIGEST, 1, membersOf(SIGNERS), abi.encodePacked(signatures(keys, 3, DIGEST), bytes1(0)));
        VM.expectRevert(abi.encodeWithSelector(IQuorum.NotEnough.selector, 0, 3));
        quorum.verify(DIGEST, 1, membersOf(SIGNERS), "");
    }

    function test_the_other_form_of_a_signature_is_refused() external {
        uint256[] memory keys = keysOf(SIGNERS, 1000);
        (uint8 v, bytes32 r, bytes32 s) = VM.sign(keys[2], DIGEST);
        bytes32 high = bytes32((ORDER - uint256(s)) | (uint256(28 - v) << 255));
        _refused(abi.encodePacked(signatures(keys, 2, DIGEST), r, high));
    }

    function test_members_must_be_those_of_the_set() external {
        uint256[] memory keys = keysOf(SIGNERS, 1000);
        bytes memory three = signatures(keys, 3, DIGEST);
        VM.expectRevert(abi.encodeWithSelector(IQuorum.NotTheMembers.selector, 1));
        quorum.verify(DIGEST, 1, membersOf(3), three);
        VM.expectRevert(abi.encodeWithSelector(IQuorum.NotTheMembers.selector, 1));
        quorum.verify(DIGEST, 1, "", three);
        VM.expectRevert(abi.encodeWithSelector(IQuorum.NotInForce.selector, 0));
        quorum.verify(DIGEST, 0, "", "");
        VM.expectRevert(abi.encodeWithSelector(IQuorum.NotInForce.selector, 2));
        quorum.verify(DIGEST, 2, membersOf(SIGNERS), three);
    }

    function test_sets_that_are_none() external {
        _noSet("", false);
        _noSet(new bytes(20), true); // the zero address
        _noSet(abi.encodePacked(membersOf(3), bytes1(0)), false);
        bytes memory one = membersFrom(1, 1000);
        _noSet(abi.encodePacked(one, one), false);
        uint256[] memory keys = keysOf(2, 1000);
        _noSet(abi.encodePacked(VM.addr(keys[1]), VM.addr(keys[0])), false);
        _noSet(one, false); // alone
        newQuorum(one, true); // for tests
    }

    // --- rotation

    function test_a_set_is_replaced_by_a_quorum_of_it_and_stays_good_for_a_while() external {
        bytes memory next = membersFrom(5, 2000);
        uint256[] memory old = keysOf(SIGNERS, 1000);
        bytes32 digest = quorum.rotationDigest(2, next);
        VM.expectRevert(abi.encodeWithSelector(IQuorum.NotEnough.selector, 2, 3));
        quorum.rotate(next, membersOf(SIGNERS), signatures(old, 2, digest));
        quorum.rotate(next, membersOf(SIGNERS), signatures(old, 3, digest));
        eq(quorum.current(), 2, "current");
        bytes memory three = signatures(old, 3, DIGEST);
        bytes memory four = signatures(keysOf(5, 2000), 4, DIGEST);
        quorum.verify(DIGEST, 2, next, four);
        VM.warp(NOW + GRACE);
        quorum.verify(DIGEST, 1, membersOf(SIGNERS), three);
        VM.warp(NOW + GRACE + 1);
        VM.expectRevert(abi.encodeWithSelector(IQuorum.NotInForce.selector, 1));
        quorum.verify(DIGEST, 1, membersOf(SIGNERS), three);
        quorum.verify(DIGEST, 2, next, four);
        // four of five: the number follows from the new set, not from the old one
        VM.expectRevert(abi.encodeWithSelector(IQuorum.NotEnough.selector, 3, 4));
        quorum.verify(DIGEST, 2, next, signatures(keysOf(5, 2000), 3, DIGEST));
    }

    function test_a_replaced_set_replaces_nobody() external {
        bytes memory next = membersFrom(5, 2000);
        uint256[] memory old = keysOf(SIGNERS, 1000);
        bytes memory first = signatures(old, 3, quorum.rotationDigest(2, next));
        quorum.rotate(next, membersOf(SIGNERS), first);
        VM.expectRevert(abi.encodeWithSelector(IQuorum.NotTheMembers.selector, 2));
        quorum.rotate(next, membersOf(SIGNERS), first); // again
        bytes memory again = signatures(old, 3, quorum.rotationDigest(3, next));
        VM.expectRevert(abi.encodeWithSelector(IQuorum.NotTheMembers.selector, 2));
        quorum.rotate(next, membersOf(SIGNERS), again); // within the grace period
    }

    function test_rotations_are_bound_to_chain_contract_and_number() external {
        bytes memory next = membersFrom(5, 2000);
        uint256[] memory old = keysOf(SIGNERS, 1000);
        IQuorum other = newQuorum(membersOf(SIGNERS), false);
        _noRotation(next, signatures(old, 3, other.rotationDigest(2, next)));
        _noRotation(next, signatures(old, 3, quorum.rotationDigest(3, next)));
        _noRotation(next, signatures(old, 3, quorum.rotationDigest(2, membersFrom(5, 3000))));
        bytes memory here = signatures(old, 3, quorum.rotationDigest(2, next));
        VM.chainId(B + 1);
        _noRotation(next, here);
    }

    function test_a_quorum_can_not_shrink_to_one() external {
        bytes memory next = membersFrom(1, 2000);
        bytes memory all = signatures(keysOf(SIGNERS, 1000), 3, quorum.rotationDigest(2, next));
        VM.expectRevert(IQuorum.QuorumOfOne.selector);
        quorum.rotate(next, membersOf(SIGNERS), all);
    }

    // --- checkpoints

    function test_checkpoints_of_stale_sets_and_zero_roots_are_refused() external {
        Taker taker = new Taker(inbox);
        send(address(taker), "one");
        Checkpoint memory c = checkpointNow();
        Signed memory s = signed(c);
        c.root = 0;
        Signed memory forNothing = signed(c);
        VM.expectRevert(IInbox.ZeroRoot.selector);
        inbox.deliver(c, forNothing, 0, packed(0, 1), proofOf(0, 1, 1));
        bytes memory next = membersFrom(5, 2000);
        quorum.rotate(next, membersOf(SIGNERS), signatures(keysOf(SIGNERS, 1000), 3, quorum.rotationDigest(2, next)));
        VM.warp(NOW + GRACE + 1);
        c = checkpointNow();
        VM.expectRevert(abi.encodeWithSelector(IQuorum.NotInForce.selector, 1));
        inbox.deliver(c, s, 0, packed(0, 1), proofOf(0, 1, 1));
        c.set = 2; // the old signatures under the new set's number
        VM.expectRevert(abi.encodeWithSelector(IQuorum.NotTheMembers.selector, 2));
        inbox.deliver(c, s, 0, packed(0, 1), proofOf(0, 1, 1));
        bytes memory four = signatures(keysOf(5, 2000), 4, inbox.digest(c));
        inbox.deliver(c, Signed(next, four), 0, packed(0, 1), proofOf(0, 1, 1));
        eq(taker.taken(), 1, "taken");
    }

    function test_a_checkpoint_is_bound_to_everything_it_says() external {
        Taker taker = new Taker(inbox);
        send(address(taker), "one");
        send(address(taker), "two");
        Checkpoint memory c = checkpointNow();
        Signed memory s = signed(c);
        c.count = 1;
        (bool done,) = address(inbox).call(abi.encodeCall(inbox.deliver, (c, s, 0, packed(0, 1), proofOf(0, 1, 2))));
        ok(!done, "another count");
        c.count = 2;
        c.set = 2;
        (done,) = address(inbox).call(abi.encodeCall(inbox.deliver, (c, s, 0, packed(0, 1), proofOf(0, 1, 2))));
        ok(!done, "another set");
        c.set = 1;
        c.root = keccak256("another");
        (done,) = address(inbox).call(abi.encodeCall(inbox.deliver, (c, s, 0, packed(0, 1), proofOf(0, 1, 2))));
        ok(!done, "another root");
        eq(taker.taken(), 0, "taken");
    }

    // --- inside

    function _refused(bytes memory all) private {
        (bool done,) = address(quorum).call(abi.encodeCall(quorum.verify, (DIGEST, 1, membersOf(SIGNERS), all)));
        ok(!done, "taken for a quorum");
    }

    function _noSet(bytes memory members, bool regtest) private {
        bytes memory code = abi.encodePacked(VM.getCode("Quorum.sol:Quorum"), abi.encode(members, GRACE, regtest));
        address made;
        assembly ("memory-safe") {
            made := create(0, add(code, 0x20), mload(code))
        }
        ok(made == address(0), "a set it is not");
    }

    function _noRotation(bytes memory next, bytes memory all) private {
        (bool done,) = address(quorum).call(abi.encodeCall(quorum.rotate, (next, membersOf(SIGNERS), all)));
        ok(!done, "rotated");
    }
}
