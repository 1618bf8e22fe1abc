// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IVaults} from "../src/IVaults.sol";
import {Bundle, Kit, Leg, Terms, Vm, Way} from "./Kit.sol";
import {PlainToken, Unpayable} from "./Tokens.sol";

/// @notice Paths, preimages, times, recipients; native coin.
/// forge-config: default.isolate = true
/// forge-config: ci.isolate = true
contract SpendTest is Kit {
    function test_claim_pays_everything_to_the_recipient_whoever_pushes() external {
        Leg memory leg = swapLeg(COIN, "a");
        pay(vaultOf(leg), 3 ether); // more than the leg's amount
        VM.recordLogs();
        claim(leg, COIN);
        eq(claimant.balance, 3 ether, "claimant");
        eq(vaultOf(leg).balance, 0, "vault");
        eq(vaultOf(leg).code.length, 0, "code at the vault");
        Vm.Log[] memory logs = spentLogs();
        eq(logs.length, 1, "events");
        isSpent(logs[0], vaultOf(leg), COIN, 0, 3 ether, list(SECRET));
    }

    function test_short_form_is_the_same_spend() external {
        Leg memory leg = swapLeg(COIN, "a");
        pay(vaultOf(leg), 1 ether);
        bytes32[] memory words = witness(leg, 0, list(SECRET));
        VM.recordLogs();
        vaults.spendCoin(Terms.word(leg, 0), words[0], words[1]);
        eq(claimant.balance, 1 ether, "claimant");
        isSpent(spentLogs()[0], vaultOf(leg), COIN, 0, 1 ether, list(SECRET));

        leg = swapLeg(COIN, "b");
        pay(vaultOf(leg), 1 ether);
        VM.warp(EXPIRY);
        words = witness(leg, 1, none());
        VM.recordLogs();
        vaults.spendCoin(Terms.word(leg, 1), words[0], words[1]);
        eq(refunder.balance, 1 ether, "refunder");
        isSpent(spentLogs()[0], vaultOf(leg), COIN, 1, 1 ether, none());
    }

    function test_short_form_refuses_every_other_shape() external {
        Leg memory leg = collateralLeg(COIN, "a");
        pay(vaultOf(leg), 1 ether);
        for (uint256 i = 0; i < 3; ++i) {
            if (i == 1) continue;
            uint256 path = Terms.word(leg, i);
            VM.expectRevert(abi.encodeWithSelector(IVaults.NotShort.selector, path));
            vaults.spendCoin(path, SECRET, OTHER);
            VM.expectRevert(abi.encodeWithSelector(IVaults.NotShort.selector, path));
            vaults.spendErc20(address(1 << 100), path, SECRET, OTHER);
        }
        // the first path without a hash has a witness of one word, the second with a hash one of three
        VM.expectRevert(abi.encodeWithSelector(IVaults.NotShort.selector, uint256(uint160(claimant))));
        vaults.spendCoin(uint160(claimant), 0, 0);
        uint256 second = (uint256(0x10001) << 224) | uint160(claimant);
        VM.expectRevert(abi.encodeWithSelector(IVaults.NotShort.selector, second));
        vaults.spendCoin(second, 0, 0);
    }

    function test_wrong_preimage_leads_to_another_and_empty_vault() external {
        Leg memory leg = swapLeg(COIN, "a");
        pay(vaultOf(leg), 1 ether);
        bytes32[] memory words = witness(leg, 0, list(OTHER));
        address elsewhere = vaults.addressOf(vaults.termsOf(Terms.word(leg, 0), words));
        require(elsewhere != vaultOf(leg), "a wrong preimage led to the vault");
        VM.expectRevert(abi.encodeWithSelector(IVaults.EmptyVault.selector, elsewhere, COIN));
        vaults.spend(COIN, Terms.word(leg, 0), words);
        VM.expectRevert(abi.encodeWithSelector(IVaults.EmptyVault.selector, elsewhere, COIN));
        vaults.spendCoin(Terms.word(leg, 0), words[0], words[1]);
        eq(vaultOf(leg).balance, 1 ether, "vault");
    }

    function test_the_hash_itself_is_no_preimage() external {
        Leg memory leg = swapLeg(COIN, "a");
        pay(vaultOf(leg), 1 ether);
        bytes32[] memory words = witness(leg, 0, list(leg.ways[0].hashes[0]));
        VM.expectRevert(abi.encodeWithSelector(IVaults.EmptyVault.selector, _vaultOfWords(leg, 0, words), COIN));
        vaults.spend(COIN, Terms.word(leg, 0), words);
    }

    function test_both_preimages_are_needed_in_order() external {
        Leg memory leg = collateralLeg(COIN, "a");
        pay(vaultOf(leg), 1 ether);
        bytes32[] memory words = witness(leg, 0, list(OTHER, SECRET));
        VM.expectRevert(abi.encodeWithSelector(IVaults.EmptyVault.selector, _vaultOfWords(leg, 0, words), COIN));
        vaults.spend(COIN, Terms.word(leg, 0), words);
        VM.recordLogs();
        spend(leg, COIN, 0, list(SECRET, OTHER));
        isSpent(spentLogs()[0], vaultOf(leg), COIN, 0, 1 ether, list(SECRET, OTHER));
        eq(claimant.balance, 1 ether, "claimant");
    }

    function test_refund_is_refused_until_the_second_it_is_due() external {
        Leg memory leg = swapLeg(COIN, "a");
        pay(vaultOf(leg), 1 ether);
        bytes32[] memory words = witness(leg, 1, none());
        VM.warp(EXPIRY - 1);
        VM.expectRevert(abi.encodeWithSelector(IVaults.TooEarly.selector, EXPIRY, EXPIRY - 1));
        vaults.spend(COIN, Terms.word(leg, 1), words);
        VM.expectRevert(abi.encodeWithSelector(IVaults.TooEarly.selector, EXPIRY, EXPIRY - 1));
        vaults.spendCoin(Terms.word(leg, 1), words[0], words[1]);
        VM.warp(EXPIRY);
        vaults.spend(COIN, Terms.word(leg, 1), words);
        eq(refunder.balance, 1 ether, "refunder");
    }

    function test_an_earlier_time_in_the_path_word_makes_other_terms() external {
        Leg memory leg = swapLeg(COIN, "a");
        pay(vaultOf(leg), 1 ether);
        bytes32[] memory words = witness(leg, 1, none());
        leg.ways[1].notBefore = 0;
        uint256 path = Terms.word(leg, 1);
        address elsewhere = vaults.addressOf(vaults.termsOf(path, words));
        VM.expectRevert(abi.encodeWithSelector(IVaults.EmptyVault.selector, elsewhere, COIN));
        vaults.spend(COIN, path, words);
    }

    function test_claim_is_good_after_the_refund_is_due() external {
        Leg memory leg = swapLeg(COIN, "a");
        pay(vaultOf(leg), 1 ether);
        VM.warp(EXPIRY + 365 days);
        claim(leg, COIN);
        eq(claimant.balance, 1 ether, "claimant");
    }

    function test_every_path_of_many_can_be_taken() external {
        Leg memory leg = swapLeg(COIN, "many");
        leg.ways = new Way[](6);
        for (uint256 i = 0; i < 6; ++i) {
            leg.ways[i] = way(address(uint160(0xabc0000 + i)), 0, i % 2 == 0 ? none() : hashes(), new address[](0));
        }
        for (uint256 i = 0; i < 6; ++i) {
            leg.salt = bytes32(i);
            pay(vaultOf(leg), 1 + i);
            spend(leg, COIN, i, i % 2 == 0 ? none() : list(SECRET, OTHER));
            eq(leg.ways[i].to.balance, 1 + i, "recipient");
        }
    }

    function test_witness_of_another_length_is_refused() external {
        Leg memory leg = swapLeg(COIN, "a");
        pay(vaultOf(leg), 1 ether);
        uint256 path = Terms.word(leg, 0);
        for (uint256 count = 0; count < 5; ++count) {
            if (count == 2) continue;
            VM.expectRevert(abi.encodeWithSelector(IVaults.WitnessLength.selector, count, 2));
            vaults.spend(COIN, path, new bytes32[](count));
        }
    }

    function test_a_path_has_at_most_two_hashes() external {
        uint256 path = (uint256(3) << 224) | uint160(claimant);
        VM.expectRevert(abi.encodeWithSelector(IVaults.TooManyHashes.selector, 3));
        vaults.spend(COIN, path, new bytes32[](4));
    }

    function test_empty_vault_reverts_and_logs_nothing() external {
        Leg memory leg = swapLeg(COIN, "a");
        bytes memory reason = abi.encodeWithSelector(IVaults.EmptyVault.selector, vaultOf(leg), COIN);
        bytes32[] memory words = witness(leg, 0, list(SECRET));
        VM.recordLogs();
        VM.expectRevert(reason);
        vaults.spend(COIN, Terms.word(leg, 0), words);
        eq(spentLogs().length, 0, "events");
    }

    function test_recipients_that_would_lose_the_money_are_refused() external {
        address[6] memory bad =
            [address(0), address(1), address(0x11), address(0x100), address(0xffff), address(vaults)];
        for (uint256 i = 0; i < bad.length; ++i) {
            Leg memory leg = swapLeg(COIN, "bad");
            leg.ways[0].to = bad[i];
            pay(vaultOf(leg), 1 ether);
            bytes memory reason = abi.encodeWithSelector(IVaults.BadRecipient.selector, bad[i]);
            bytes32[] memory words = witness(leg, 0, list(SECRET));
            VM.expectRevert(reason);
            vaults.spend(COIN, Terms.word(leg, 0), words);
            VM.expectRevert(reason);
            vaults.spendCoin(Terms.word(leg, 0), words[0], words[1]);
            // the other path still pays
            VM.warp(EXPIRY);
            spend(leg, COIN, 1, none());
            VM.warp(NOW);
        }
        eq(refunder.balance, bad.length * 1 ether, "refunder");
        Leg memory good = swapLeg(COIN, "good");
        good.ways[0].to = address(0x10000);
        pay(vaultOf(good), 1 ether);
        claim(good, COIN);
        eq(address(0x10000).balance, 1 ether, "the first address that is none");
    }

    function test_no_code_of_the_recipient_runs() external {
        Leg memory leg = swapLeg(COIN, "a");
        leg.ways[0].to = address(new Unpayable());
        pay(vaultOf(leg), 1 ether);
        claim(leg, COIN);
        eq(leg.ways[0].to.balance, 1 ether, "a recipient that refuses coin");
    }

    function test_recipient_may_be_another_legs_vault() external {
        Leg memory second = swapLeg(COIN, "stage 1");
        Leg memory first = swapLeg(COIN, "stage 0");
        first.ways[0].to = vaultOf(second);
        pay(vaultOf(first), 1 ether);
        claim(first, COIN);
        eq(vaultOf(second).balance, 1 ether, "second stage");
        claim(second, COIN);
        eq(claimant.balance, 1 ether, "claimant");

        // and both stages in one transaction
        second = swapLeg(COIN, "another stage 1");
        first.ways[0].to = vaultOf(second);
        pay(vaultOf(first), 1 ether);
        Bundle.Step[] memory steps = new Bundle.Step[](2);
        steps[0] = Bundle.Step(address(vaults), 0, claimData(first, COIN));
        steps[1] = Bundle.Step(address(vaults), 0, claimData(second, COIN));
        (bool[] memory done,) = bundle.run(steps);
        require(done[0] && done[1], "two stages in one transaction");
        eq(claimant.balance, 2 ether, "claimant");
    }

    function test_coin_is_not_sent_to_a_vault_that_dies_in_this_transaction() external {
        Leg memory second = swapLeg(COIN, "stage 1");
        Leg memory first = swapLeg(COIN, "stage 0");
        first.ways[0].to = vaultOf(second);
        pay(vaultOf(first), 1 ether);
        pay(vaultOf(second), 1); // enough to let anyone spend it first
        Bundle.Step[] memory steps = new Bundle.Step[](2);
        steps[0] = Bundle.Step(address(vaults), 0, claimData(second, COIN));
        steps[1] = Bundle.Step(address(vaults), 0, claimData(first, COIN));
        (bool[] memory done, bytes[] memory answers) = bundle.run(steps);
        require(done[0] && !done[1], "the second spend had to be refused");
        require(
            keccak256(answers[1])
                == keccak256(abi.encodeWithSelector(IVaults.RecipientSpent.selector, vaultOf(second))),
            "reason"
        );
        eq(vaultOf(first).balance, 1 ether, "first stage");
        claim(first, COIN);
        eq(vaultOf(second).balance, 1 ether, "second stage");
    }

    function test_second_spend_in_one_transaction_is_refused_cheaply() external {
        Leg memory leg = swapLeg(COIN, "a");
        PlainToken token = new PlainToken();
        pay(vaultOf(leg), 1 ether);
        token.mint(vaultOf(leg), 5);
        Bundle.Step[] memory steps = new Bundle.Step[](3);
        steps[0] = Bundle.Step(address(vaults), 0, claimData(leg, COIN));
        steps[1] = Bundle.Step(address(vaults), 0, claimData(leg, COIN));
        steps[2] = Bundle.Step(address(vaults), 0, claimData(leg, address(token)));
        uint256 before = gasleft();
        (bool[] memory done, bytes[] memory answers) = bundle.run(steps);
        uint256 used = before - gasleft();
        require(done[0] && !done[1] && !done[2], "one spend a transaction");
        bytes memory reason = abi.encodeWithSelector(IVaults.AlreadySpent.selector, vaultOf(leg));
        require(keccak256(answers[1]) == keccak256(reason) && keccak256(answers[2]) == keccak256(reason), "reason");
        require(used < 250_000, "a collision burned the gas");
        claim(leg, address(token)); // the next transaction takes the rest
        eq(token.balanceOf(claimant), 5, "tokens");
    }

    function test_the_factory_takes_no_coin_and_answers_only_vaults() external {
        VM.deal(address(this), 2 ether);
        (bool ok, bytes memory answer) = address(vaults).call{value: 1 ether}("");
        require(!ok && bytes4(answer) == IVaults.NoSuchFunction.selector, "coin");
        (ok, answer) = address(vaults).call("");
        require(!ok && bytes4(answer) == IVaults.NoSuchFunction.selector, "a stranger's question");
        (ok, answer) = address(vaults).call(hex"12345678");
        require(!ok && bytes4(answer) == IVaults.NoSuchFunction.selector, "an unknown function");
        Leg memory leg = swapLeg(COIN, "a");
        pay(vaultOf(leg), 1 ether);
        (ok,) = address(vaults).call{value: 1}(claimData(leg, COIN));
        require(!ok, "coin with a spend");
    }

    function test_terms_keep_the_chain_id_of_the_deployment() external {
        Leg memory leg = swapLeg(COIN, "a");
        address before = vaultOf(leg);
        pay(before, 1 ether);
        VM.chainId(chain + 1); // a fork that took a new id
        claim(leg, COIN);
        eq(claimant.balance, 1 ether, "claimant");

        IVaults young = newFactory(); // deployed since then: other terms for the same leg
        bytes32[] memory words = witness(leg, 0, list(SECRET));
        require(young.termsOf(Terms.word(leg, 0), words) != vaults.termsOf(Terms.word(leg, 0), words), "terms");
    }

    function test_balances_of_many_addresses_in_one_call() external {
        PlainToken token = new PlainToken();
        address[] memory who = new address[](3);
        (who[0], who[1], who[2]) = (claimant, vaultOf(swapLeg(COIN, "a")), refunder);
        pay(who[1], 7);
        token.mint(claimant, 5);
        uint256[] memory coin = vaults.balances(who, COIN);
        require(coin[0] == 0 && coin[1] == 7 && coin[2] == 0, "coin");
        uint256[] memory units = vaults.balances(who, address(token));
        require(units[0] == 5 && units[1] == 0 && units[2] == 0, "tokens");
        VM.expectRevert(abi.encodeWithSelector(IVaults.NotAToken.selector, claimant));
        vaults.balances(who, claimant);
    }

    function _vaultOfWords(Leg memory leg, uint256 index, bytes32[] memory words) private view returns (address) {
        return vaults.addressOf(vaults.termsOf(Terms.word(leg, index), words));
    }
}
