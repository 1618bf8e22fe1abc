// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IVaults} from "../src/IVaults.sol";
import {Kit, Leg, Terms} from "./Kit.sol";

/// @notice Paths that want signatures.
/// forge-config: default.isolate = true
/// forge-config: ci.isolate = true
contract ConsentTest is Kit {
    uint256 private constant ORDER = 0xfffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141;
    uint256 private constant RELEASE = 2;

    function test_release_needs_the_signature_and_nothing_else() external {
        Leg memory leg = collateralLeg(COIN, "a");
        pay(vaultOf(leg), 1 ether);
        bytes32[] memory signature = consent(leg, RELEASE, SIGNER_KEY);
        _release(leg, signature);
        eq(refunder.balance, 1 ether, "refunder");
        // it holds for every later deposit
        pay(vaultOf(leg), 2 ether);
        _release(leg, signature);
        eq(refunder.balance, 3 ether, "refunder");
    }

    function test_consents_of_others_or_to_other_things_are_refused() external {
        Leg memory leg = collateralLeg(COIN, "a");
        pay(vaultOf(leg), 1 ether);
        _refused(leg, consent(leg, RELEASE, SECOND_KEY)); // another key
        _refused(leg, consent(leg, 1, SIGNER_KEY)); // another path
        _refused(leg, consent(collateralLeg(COIN, "b"), RELEASE, SIGNER_KEY)); // another leg
        _refused(leg, list(0, 0)); // no signature
        _refused(leg, list(bytes32(type(uint256).max), bytes32(type(uint256).max)));
    }

    function test_a_consent_is_bound_to_the_chain_as_it_calls_itself_now() external {
        Leg memory leg = collateralLeg(COIN, "a");
        pay(vaultOf(leg), 1 ether);
        bytes32[] memory signature = consent(leg, RELEASE, SIGNER_KEY);
        VM.chainId(chain + 1);
        _refused(leg, signature); // given on the other side of the fork
        _release(leg, consent(leg, RELEASE, SIGNER_KEY));
        eq(refunder.balance, 1 ether, "refunder");
    }

    function test_a_consent_is_bound_to_the_factory() external {
        Leg memory leg = collateralLeg(COIN, "a");
        pay(vaultOf(leg), 1 ether);
        IVaults other = newFactory();
        (uint8 v, bytes32 r, bytes32 s) = VM.sign(SIGNER_KEY, other.consentDigest(Terms.node(leg, 0, chain), RELEASE));
        _refused(leg, list(r, bytes32(uint256(s) | (uint256(v - 27) << 255))));
    }

    function test_the_other_form_of_a_signature_is_refused() external {
        Leg memory leg = collateralLeg(COIN, "a");
        pay(vaultOf(leg), 1 ether);
        bytes32[] memory low = consent(leg, RELEASE, SIGNER_KEY);
        // n - s with the opposite parity recovers the same key; nearly all of them do not even fit the compact form
        uint256 high = (ORDER - (uint256(low[1]) & (2 ** 255 - 1))) & (2 ** 255 - 1);
        _refused(leg, list(low[0], bytes32(high | ((1 - (uint256(low[1]) >> 255)) << 255))));
        _refused(leg, list(low[0], bytes32(uint256(ORDER / 2 + 1)))); // the least s that is refused for its size
    }

    function test_a_consent_does_not_move_the_other_paths() external {
        Leg memory leg = collateralLeg(COIN, "a");
        pay(vaultOf(leg), 1 ether);
        bytes32[] memory signature = consent(leg, RELEASE, SIGNER_KEY);
        // the refund's word with the release's witness
        bytes32[] memory words = Terms.witness(leg, RELEASE, chain, none(), signature);
        VM.expectRevert(abi.encodeWithSelector(IVaults.WitnessLength.selector, words.length, 2));
        vaults.spend(COIN, Terms.word(leg, 1), words);
    }

    function test_the_zero_address_never_consents() external {
        Leg memory leg = collateralLeg(COIN, "a");
        leg.ways[RELEASE].signers[0] = address(0);
        pay(vaultOf(leg), 1 ether);
        _refused(leg, list(0, 0)); // ecrecover answers zero
        _refused(leg, consent(leg, RELEASE, SIGNER_KEY));
    }

    function test_every_signer_is_needed() external {
        Leg memory leg = collateralLeg(COIN, "a");
        address[] memory both = new address[](2);
        (both[0], both[1]) = (VM.addr(SIGNER_KEY), VM.addr(SECOND_KEY));
        leg.ways[RELEASE].signers = both;
        leg.ways[RELEASE].hashes = list(sha256(abi.encode(SECRET))); // beside a preimage
        pay(vaultOf(leg), 1 ether);
        bytes32[] memory one = consent(leg, RELEASE, SIGNER_KEY);
        bytes32[] memory two = consent(leg, RELEASE, SECOND_KEY);
        uint256 path = Terms.word(leg, RELEASE);
        bytes32 terms = Terms.node(leg, 0, chain);

        bytes32[] memory words = Terms.witness(leg, RELEASE, chain, list(SECRET), _four(one, one));
        VM.expectRevert(abi.encodeWithSelector(IVaults.BadConsent.selector, both[1], terms, RELEASE));
        vaults.spend(COIN, path, words);
        words = Terms.witness(leg, RELEASE, chain, list(SECRET), _four(two, one));
        VM.expectRevert(abi.encodeWithSelector(IVaults.BadConsent.selector, both[0], terms, RELEASE));
        vaults.spend(COIN, path, words);
        words = Terms.witness(leg, RELEASE, chain, list(SECRET), _four(one, two));
        VM.recordLogs();
        vaults.spend(COIN, path, words);
        isSpent(spentLogs()[0], vaultOf(leg), COIN, RELEASE, 1 ether, list(SECRET));
    }

    function test_the_digest_is_that_of_eip_712() external view {
        bytes32 domain = keccak256(
            abi.encode(
                keccak256("EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)"),
                keccak256("Strikelock Vaults"),
                keccak256("1"),
                block.chainid,
                address(vaults)
            )
        );
        bytes32 message = keccak256(abi.encode(keccak256("Consent(bytes32 terms,uint256 path)"), bytes32("t"), 7));
        require(vaults.consentDigest("t", 7) == keccak256(abi.encodePacked(bytes2(0x1901), domain, message)), "digest");
    }

    function _release(Leg memory leg, bytes32[] memory signature) private {
        vaults.spend(COIN, Terms.word(leg, RELEASE), Terms.witness(leg, RELEASE, chain, none(), signature));
    }

    function _refused(Leg memory leg, bytes32[] memory signature) private {
        bytes32[] memory words = Terms.witness(leg, RELEASE, chain, none(), signature);
        address signer = leg.ways[RELEASE].signers[0];
        VM.expectRevert(abi.encodeWithSelector(IVaults.BadConsent.selector, signer, Terms.node(leg, 0, chain), RELEASE));
        vaults.spend(COIN, Terms.word(leg, RELEASE), words);
    }

    function _four(bytes32[] memory one, bytes32[] memory two) private pure returns (bytes32[] memory all) {
        all = new bytes32[](4);
        (all[0], all[1], all[2], all[3]) = (one[0], one[1], two[0], two[1]);
    }
}
