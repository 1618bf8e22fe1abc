// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IVaults} from "../src/IVaults.sol";
import {Kit, Leg, Terms, Way} from "./Kit.sol";

/// @dev A quorum of three of four, as adapters write it: a refund, and then one path for each choice of three members.
contract MembersTest is Kit {
    uint256 private constant CHOICES = 4;
    uint256 private constant NEEDED = 3;
    uint256[4] private keys = [uint256(0xa1), 0xa2, 0xa3, 0xa4];
    uint256 private constant STRANGER = 0x5712a4637;
    uint256 private constant ORDER = 0xfffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141;

    function test_every_choice_of_three_opens_it() external {
        for (uint256 choice = 1; choice <= CHOICES; ++choice) {
            Leg memory leg = _leg(bytes32(choice));
            pay(vaultOf(leg), 1 ether);
            uint256 before = claimant.balance;
            _spend(leg, choice, _all(leg, choice));
            eq(claimant.balance - before, 1 ether, "paid");
        }
    }

    function test_two_are_too_few() external {
        Leg memory leg = _leg("few");
        pay(vaultOf(leg), 1 ether);
        bytes32[] memory signed = _all(leg, 1);
        (signed[4], signed[5]) = (bytes32(0), bytes32(0)); // nothing
        _refused(leg, 1, signed, 2);
        (signed[4], signed[5]) = (signed[0], signed[1]); // the first member's again
        _refused(leg, 1, signed, 2);
    }

    function test_a_member_can_not_stand_twice() external {
        Leg memory leg = _leg("twice");
        pay(vaultOf(leg), 1 ether);
        bytes32[] memory words = Terms.witness(leg, 1, chain, hashed(), _all(leg, 1));
        // the second member's words in the third's place: another leaf, so another vault
        (words[8], words[9], words[10]) = (words[5], words[6], words[7]);
        _foreign(leg, Terms.word(leg, 1), words);
    }

    function test_a_stranger_is_nobody() external {
        Leg memory leg = _leg("stranger");
        pay(vaultOf(leg), 1 ether);
        bytes32[] memory signed = _all(leg, 1);
        bytes32[] memory other = consent(leg, 1, STRANGER);
        (signed[2], signed[3]) = (other[0], other[1]);
        _refused(leg, 1, signed, 1);
        bytes32[] memory words = Terms.witness(leg, 1, chain, hashed(), signed);
        words[5] = bytes32(uint256(uint160(VM.addr(STRANGER)))); // and named as a member: another vault
        _foreign(leg, Terms.word(leg, 1), words);
    }

    function test_the_fourth_member_is_not_of_the_first_choice() external {
        Leg memory leg = _leg("fourth");
        pay(vaultOf(leg), 1 ether);
        bytes32[] memory signed = _all(leg, 1);
        bytes32[] memory other = consent(leg, 1, keys[3]);
        (signed[4], signed[5]) = (other[0], other[1]);
        _refused(leg, 1, signed, 2);
    }

    function test_signatures_are_for_one_choice() external {
        Leg memory leg = _leg("choice");
        pay(vaultOf(leg), 1 ether);
        bytes32[] memory signed = _all(leg, 1);
        bytes32[] memory other = consent(leg, 2, keys[0]); // the same member, of another choice
        (signed[0], signed[1]) = (other[0], other[1]);
        _refused(leg, 1, signed, 0);
    }

    function test_signatures_are_for_one_leg() external {
        Leg memory leg = _leg("leg");
        Leg memory other = _leg("other leg");
        pay(vaultOf(leg), 1 ether);
        _refused(leg, 1, _all(other, 1), 0);
    }

    function test_malleated_signatures_are_refused() external {
        Leg memory leg = _leg("malleated");
        pay(vaultOf(leg), 1 ether);
        for (uint256 place = 0; place < NEEDED; ++place) {
            bytes32[] memory signed = _all(leg, 1);
            uint256 vs = uint256(signed[2 * place + 1]);
            uint256 s = vs & ~uint256(1 << 255);
            // the other s has no room in the compact form but as a wrong parity; try both
            signed[2 * place + 1] = bytes32(vs ^ (1 << 255));
            _refused(leg, 1, signed, place);
            signed[2 * place + 1] = bytes32((ORDER - s) | ((~vs) & (1 << 255)));
            _refused(leg, 1, signed, place);
        }
    }

    function test_both_preimages_are_needed_besides() external {
        Leg memory leg = _leg("preimages");
        pay(vaultOf(leg), 1 ether);
        bytes32[] memory signed = _all(leg, 1);
        _foreign(leg, Terms.word(leg, 1), Terms.witness(leg, 1, chain, list(SECRET, SECRET), signed));
    }

    function test_the_refund_needs_none_of_them_and_its_time() external {
        Leg memory leg = _leg("refund");
        pay(vaultOf(leg), 1 ether);
        VM.expectRevert(abi.encodeWithSelector(IVaults.TooEarly.selector, EXPIRY, NOW));
        spend(leg, COIN, 0, none());
        VM.warp(EXPIRY);
        uint256 before = refunder.balance;
        spend(leg, COIN, 0, none());
        eq(refunder.balance - before, 1 ether, "back");
    }

    function test_no_choice_pays_anybody_else(uint256 choice, address to) external {
        choice = 1 + choice % CHOICES;
        VM.assume(to != claimant);
        Leg memory leg = _leg("to");
        pay(vaultOf(leg), 1 ether);
        bytes32[] memory words = Terms.witness(leg, choice, chain, hashed(), _all(leg, choice));
        uint256 path = (Terms.word(leg, choice) >> 160 << 160) | uint160(to);
        bytes32 terms = vaults.termsOf(path, words);
        VM.expectRevert(abi.encodeWithSelector(IVaults.BadConsent.selector, leg.ways[choice].signers[0], terms, choice));
        vaults.spend(COIN, path, words);
    }

    // --- the leg and its witnesses

    function _leg(bytes32 salt) private view returns (Leg memory leg) {
        leg.amount = 1 ether;
        leg.salt = salt;
        leg.ways = new Way[](1 + CHOICES);
        leg.ways[0] = way(refunder, EXPIRY, none(), new address[](0));
        for (uint256 choice = 1; choice <= CHOICES; ++choice) {
            address[] memory signers = new address[](NEEDED);
            for (uint256 place = 0; place < NEEDED; ++place) {
                signers[place] = VM.addr(_key(choice, place));
            }
            leg.ways[choice] = way(claimant, 0, hashes(), signers);
        }
    }

    /// @dev In the order of combinations: the first choice leaves out the last member.
    function _key(uint256 choice, uint256 place) private view returns (uint256) {
        uint256 left = CHOICES - choice;
        return keys[place < left ? place : place + 1];
    }

    function _all(Leg memory leg, uint256 choice) private view returns (bytes32[] memory signed) {
        signed = new bytes32[](2 * NEEDED);
        for (uint256 place = 0; place < NEEDED; ++place) {
            bytes32[] memory one = consent(leg, choice, _key(choice, place));
            (signed[2 * place], signed[2 * place + 1]) = (one[0], one[1]);
        }
    }

    function hashed() private pure returns (bytes32[] memory) {
        return list(SECRET, OTHER);
    }

    function _spend(Leg memory leg, uint256 choice, bytes32[] memory signed) private {
        vaults.spend(COIN, Terms.word(leg, choice), Terms.witness(leg, choice, chain, hashed(), signed));
    }

    /// @dev What is shown leads to other terms, which nobody signed; the first member's signature is the first to fail.
    function _foreign(Leg memory leg, uint256 path, bytes32[] memory words) private {
        bytes32 terms = vaults.termsOf(path, words);
        require(terms != Terms.node(leg, 0, chain), "the same terms");
        VM.expectRevert(abi.encodeWithSelector(IVaults.BadConsent.selector, VM.addr(keys[0]), terms, 1));
        vaults.spend(COIN, path, words);
    }

    /// @dev The member at `place` is the one whose signature is found wanting.
    function _refused(Leg memory leg, uint256 choice, bytes32[] memory signed, uint256 place) private {
        bytes32[] memory words = Terms.witness(leg, choice, chain, hashed(), signed);
        address signer = leg.ways[choice].signers[place];
        bytes32 terms = Terms.node(leg, 0, chain);
        VM.expectRevert(abi.encodeWithSelector(IVaults.BadConsent.selector, signer, terms, choice));
        vaults.spend(COIN, Terms.word(leg, choice), words);
    }
}
