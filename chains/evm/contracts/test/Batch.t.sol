// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IVaults} from "../src/IVaults.sol";
import {Kit, Leg, Terms, Vm} from "./Kit.sol";
import {FalseToken, GreedyToken, PlainToken} from "./Tokens.sol";

/// @notice Several vaults in one transaction.
/// forge-config: default.isolate = true
/// forge-config: ci.isolate = true
contract BatchTest is Kit {
    uint256 private constant ALLOWANCE = 200_000;

    function test_all_items_are_spent() external {
        (Leg memory one, Leg memory two, Leg memory three) =
            (swapLeg(COIN, "1"), swapLeg(COIN, "2"), collateralLeg(COIN, "3"));
        pay(vaultOf(one), 1);
        pay(vaultOf(two), 2);
        pay(vaultOf(three), 4);
        VM.recordLogs();
        uint256[] memory items = join(join(_claim(one), item(three, 0, list(SECRET, OTHER))), _claim(two));
        eq(vaults.spendMany(COIN, ALLOWANCE, items), 3, "spent");
        eq(claimant.balance, 7, "claimant");
        Vm.Log[] memory logs = spentLogs();
        isSpent(logs[0], vaultOf(one), COIN, 0, 1, list(SECRET));
        isSpent(logs[1], vaultOf(three), COIN, 0, 4, list(SECRET, OTHER));
        isSpent(logs[2], vaultOf(two), COIN, 0, 2, list(SECRET));
    }

    function test_items_that_are_empty_early_or_unknown_are_skipped() external {
        (Leg memory funded, Leg memory empty) = (swapLeg(COIN, "1"), swapLeg(COIN, "2"));
        pay(vaultOf(funded), 1 ether);
        uint256[] memory early = item(funded, 1, none()); // its refund, which is not due
        uint256[] memory hashless = item(funded, 0, list(OTHER)); // a wrong preimage
        uint256[] memory items = join(join(_claim(empty), early), join(hashless, _claim(funded)));
        eq(vaults.spendMany(COIN, ALLOWANCE, items), 1, "spent");
        eq(claimant.balance, 1 ether, "claimant");
    }

    function test_an_item_spent_by_someone_before_does_not_revert_the_others() external {
        (Leg memory one, Leg memory two) = (swapLeg(COIN, "1"), swapLeg(COIN, "2"));
        pay(vaultOf(one), 1 ether);
        pay(vaultOf(two), 1 ether);
        uint256[] memory items = join(_claim(one), _claim(two));
        claim(one, COIN); // the front-runner
        eq(vaults.spendMany(COIN, ALLOWANCE, items), 1, "spent");
        eq(claimant.balance, 2 ether, "claimant");
    }

    function test_a_repeated_item_is_skipped_and_burns_no_allowance() external {
        (Leg memory one, Leg memory two) = (swapLeg(COIN, "1"), swapLeg(COIN, "2"));
        pay(vaultOf(one), 1 ether);
        pay(vaultOf(two), 1 ether);
        uint256[] memory items = join(join(_claim(one), _claim(one)), _claim(two));
        uint256 before = gasleft();
        eq(vaults.spendMany(COIN, 10_000_000, items), 2, "spent");
        require(before - gasleft() < 400_000, "the repetition burned its allowance");
        eq(claimant.balance, 2 ether, "claimant");
    }

    function test_an_item_that_eats_gas_is_held_to_its_allowance() external {
        GreedyToken token = new GreedyToken();
        (Leg memory one, Leg memory two) = (swapLeg(address(token), "1"), swapLeg(address(token), "2"));
        token.mint(vaultOf(one), 1);
        token.mint(vaultOf(two), 2);
        token.choose(vaultOf(one));
        uint256 before = gasleft();
        eq(vaults.spendMany(address(token), ALLOWANCE, join(_claim(one), _claim(two))), 1, "spent");
        require(before - gasleft() < 3 * ALLOWANCE, "more than the allowances");
        eq(token.balanceOf(claimant), 2, "claimant");
    }

    function test_tokens_in_a_batch() external {
        PlainToken token = new PlainToken();
        (Leg memory one, Leg memory two, Leg memory three) =
            (swapLeg(address(token), "1"), swapLeg(COIN, "2"), collateralLeg(address(token), "3"));
        token.mint(vaultOf(one), 1);
        token.mint(vaultOf(two), 2);
        token.mint(vaultOf(three), 4);
        pay(vaultOf(two), 1 ether); // goes along
        uint256[] memory items = join(join(_claim(one), _claim(two)), item(three, 0, list(SECRET, OTHER)));
        eq(vaults.spendMany(address(token), ALLOWANCE, items), 3, "spent");
        eq(token.balanceOf(claimant), 7, "tokens");
        eq(claimant.balance, 1 ether, "coin");
    }

    function test_a_batch_that_spends_nothing_reverts() external {
        VM.expectRevert(abi.encodeWithSelector(IVaults.NothingSpent.selector));
        vaults.spendMany(COIN, ALLOWANCE, new uint256[](0));
        uint256[] memory items = _claim(swapLeg(COIN, "empty"));
        VM.expectRevert(abi.encodeWithSelector(IVaults.NothingSpent.selector));
        vaults.spendMany(COIN, ALLOWANCE, items);
        FalseToken token = new FalseToken();
        Leg memory leg = swapLeg(address(token), "false");
        token.mint(vaultOf(leg), 5);
        items = _claim(leg);
        VM.expectRevert(abi.encodeWithSelector(IVaults.NothingSpent.selector));
        vaults.spendMany(address(token), ALLOWANCE, items);
    }

    function test_words_that_end_within_an_item_are_refused() external {
        Leg memory leg = swapLeg(COIN, "1");
        pay(vaultOf(leg), 1 ether);
        uint256[] memory items = _claim(leg);
        for (uint256 count = 1; count < items.length; ++count) {
            uint256[] memory cut = new uint256[](count);
            for (uint256 i = 0; i < count; ++i) {
                cut[i] = items[i];
            }
            VM.expectRevert(abi.encodeWithSelector(IVaults.WitnessLength.selector, count - 1, 2));
            vaults.spendMany(COIN, ALLOWANCE, cut);
        }
    }

    /// @dev Otherwise an estimate of gas finds the least with which the transaction "succeeds", spending nothing.
    function test_no_item_is_skipped_for_want_of_gas() external {
        (Leg memory one, Leg memory two) = (swapLeg(COIN, "1"), swapLeg(COIN, "2"));
        pay(vaultOf(one), 1 ether);
        pay(vaultOf(two), 1 ether);
        bytes memory data = abi.encodeCall(IVaults.spendMany, (COIN, ALLOWANCE, join(_claim(one), _claim(two))));
        for (uint256 gas = 60_000; gas < 500_000; gas += 10_000) {
            (bool ok, bytes memory answer) = address(vaults).call{gas: gas}(data);
            if (!ok) continue;
            eq(abi.decode(answer, (uint256)), 2, "spent");
            eq(claimant.balance, 2 ether, "claimant");
            return;
        }
        revert("no amount of gas was enough");
    }

    function test_gas_below_the_allowance_is_named() external {
        Leg memory leg = swapLeg(COIN, "1");
        pay(vaultOf(leg), 1 ether);
        bytes memory data = abi.encodeCall(IVaults.spendMany, (COIN, 10_000_000, _claim(leg)));
        (bool ok, bytes memory answer) = address(vaults).call{gas: 1_000_000}(data);
        require(!ok && bytes4(answer) == IVaults.GasBelowAllowance.selector, "reason");
    }

    function _claim(Leg memory leg) private view returns (uint256[] memory) {
        return item(leg, 0, list(SECRET));
    }
}
