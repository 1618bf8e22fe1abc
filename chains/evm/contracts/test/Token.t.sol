// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IVaults} from "../src/IVaults.sol";
import {Kit, Leg, Terms, Vm} from "./Kit.sol";
import {
    FalseToken,
    FeeToken,
    GrowingToken,
    HookedToken,
    Ledger,
    LyingToken,
    OddToken,
    PlainToken,
    RevertingToken,
    RoundingToken,
    SilentToken,
    TwoToken
} from "./Tokens.sol";

/// @notice Tokens, good and bad, and coin beside them.
/// forge-config: default.isolate = true
/// forge-config: ci.isolate = true
contract TokenTest is Kit {
    function test_token_claim_and_its_short_form() external {
        Ledger token = Ledger(create("TestToken.sol:TestToken", abi.encode("Test", "TST", uint8(6))));
        Leg memory leg = swapLeg(address(token), "a");
        bytes32[] memory words = witness(leg, 0, list(SECRET));
        token.mint(vaultOf(leg), 500);
        VM.recordLogs();
        vaults.spend(address(token), Terms.word(leg, 0), words);
        isSpent(spentLogs()[0], vaultOf(leg), address(token), 0, 500, list(SECRET));
        token.mint(vaultOf(leg), 300);
        VM.recordLogs();
        vaults.spendErc20(address(token), Terms.word(leg, 0), words[0], words[1]);
        isSpent(spentLogs()[0], vaultOf(leg), address(token), 0, 300, list(SECRET));
        eq(token.balanceOf(claimant), 800, "claimant");
    }

    function test_a_token_that_returns_nothing_is_paid() external {
        SilentToken token = new SilentToken();
        _funded(token);
        claim(_leg(address(token)), address(token));
        eq(token.balanceOf(claimant), 100, "claimant");
    }

    function test_a_token_that_says_false_is_refused_and_nothing_moves() external {
        FalseToken token = new FalseToken();
        address vault = _funded(token);
        _refused(address(token), vault);
        token.say(true);
        claim(_leg(address(token)), address(token)); // the funds are not stuck
        eq(token.balanceOf(claimant), 100, "claimant");
    }

    function test_a_token_that_moves_nothing_is_refused() external {
        LyingToken token = new LyingToken();
        _refused(address(token), _funded(token));
    }

    function test_a_token_of_which_more_is_there_afterwards_is_refused() external {
        GrowingToken token = new GrowingToken();
        _refused(address(token), _funded(token));
    }

    function test_a_token_that_reverts_is_refused() external {
        RevertingToken token = new RevertingToken();
        _refused(address(token), _funded(token));
    }

    function test_two_is_not_true() external {
        TwoToken token = new TwoToken();
        _refused(address(token), _funded(token));
    }

    function test_answers_of_odd_sizes() external {
        uint256[6] memory refused = [uint256(1), 4, 28, 31, 32, 64]; // 0x01 repeated is no boolean either
        for (uint256 i = 0; i < refused.length; ++i) {
            OddToken token = new OddToken();
            token.answer(refused[i], 0x01);
            _refused(address(token), _funded(token));
        }
        OddToken zeros = new OddToken();
        zeros.answer(31, 0);
        _refused(address(zeros), _funded(zeros));
        OddToken bomb = new OddToken();
        bomb.answer(100_000, 0);
        _refused(address(bomb), _funded(bomb));
        OddToken empty = new OddToken();
        _funded(empty);
        claim(_leg(address(empty)), address(empty));
        eq(empty.balanceOf(claimant), 100, "claimant");
    }

    function test_what_left_is_what_the_event_says_of_a_fee_token() external {
        FeeToken token = new FeeToken();
        address vault = _funded(token);
        VM.recordLogs();
        claim(_leg(address(token)), address(token));
        isSpent(spentLogs()[0], vault, address(token), 0, 100, list(SECRET));
        eq(token.balanceOf(claimant), 99, "claimant");
    }

    function test_what_rounding_leaves_behind_can_be_spent_later() external {
        RoundingToken token = new RoundingToken();
        address vault = _funded(token);
        VM.recordLogs();
        claim(_leg(address(token)), address(token));
        isSpent(spentLogs()[0], vault, address(token), 0, 99, list(SECRET));
        eq(token.balanceOf(vault), 1, "vault");
        claim(_leg(address(token)), address(token));
        eq(token.balanceOf(claimant), 100, "claimant");
    }

    function test_amounts_of_any_size_leave() external {
        PlainToken token = new PlainToken();
        Leg memory leg = _leg(address(token));
        uint256[7] memory amounts =
            [uint256(1), 2 ** 96 - 1, 2 ** 96, 2 ** 96 + 1, 2 ** 191 - 1, 2 ** 191, 2 ** 192 + 5];
        for (uint256 i = 0; i < amounts.length; ++i) {
            address to = address(uint160(0xabcdef0000 + i));
            leg.ways[0].to = to;
            token.mint(vaultOf(leg), amounts[i]);
            uint256 spends = 0;
            while (token.balanceOf(vaultOf(leg)) != 0) {
                claim(leg, address(token));
                ++spends;
            }
            eq(token.balanceOf(to), amounts[i], "recipient");
            eq(spends, amounts[i] > 2 ** 191 ? 3 : 1, "spends"); // 2^191 at a time
        }
    }

    function test_empty_vaults_and_addresses_that_are_no_token() external {
        PlainToken token = new PlainToken();
        Leg memory leg = _leg(address(token));
        bytes32[] memory words = witness(leg, 0, list(SECRET));
        uint256 path = Terms.word(leg, 0);
        VM.expectRevert(abi.encodeWithSelector(IVaults.EmptyVault.selector, vaultOf(leg), address(token)));
        vaults.spendErc20(address(token), path, words[0], words[1]);
        VM.expectRevert(abi.encodeWithSelector(IVaults.NotAToken.selector, refunder));
        vaults.spend(refunder, path, words);
        VM.expectRevert(abi.encodeWithSelector(IVaults.NotAToken.selector, address(bundle)));
        vaults.spend(address(bundle), path, words);
    }

    function test_the_token_itself_is_no_recipient() external {
        PlainToken token = new PlainToken();
        Leg memory leg = _leg(address(token));
        leg.ways[0].to = address(token);
        token.mint(vaultOf(leg), 100);
        bytes memory reason = abi.encodeWithSelector(IVaults.BadRecipient.selector, address(token));
        bytes32[] memory words = witness(leg, 0, list(SECRET));
        VM.expectRevert(reason);
        vaults.spend(address(token), Terms.word(leg, 0), words);
        VM.expectRevert(reason);
        vaults.spendErc20(address(token), Terms.word(leg, 0), words[0], words[1]);
    }

    function test_a_stray_token_leaves_a_native_vault() external {
        PlainToken stray = new PlainToken();
        Leg memory leg = swapLeg(COIN, "native");
        stray.mint(vaultOf(leg), 42);
        claim(leg, address(stray));
        eq(stray.balanceOf(claimant), 42, "claimant");
    }

    function test_stray_coin_leaves_a_token_vault() external {
        Leg memory leg = _leg(address(new PlainToken()));
        pay(vaultOf(leg), 1 ether);
        claim(leg, COIN);
        eq(claimant.balance, 1 ether, "claimant");
    }

    function test_coin_beside_a_token_goes_along_and_is_reported() external {
        PlainToken token = new PlainToken();
        address vault = _funded(token);
        pay(vault, 1 ether);
        VM.recordLogs();
        claim(_leg(address(token)), address(token));
        Vm.Log[] memory logs = spentLogs();
        eq(logs.length, 2, "events");
        isSpent(logs[0], vault, address(token), 0, 100, list(SECRET));
        isSpent(logs[1], vault, COIN, 0, 1 ether, list(SECRET));
        eq(token.balanceOf(claimant), 100, "tokens");
        eq(claimant.balance, 1 ether, "coin");
        eq(address(vaults).balance, 0, "factory");
    }

    function test_coin_forced_on_the_factory_is_no_vaults() external {
        PlainToken token = new PlainToken();
        _funded(token);
        VM.deal(address(vaults), 3 ether); // by a self-destruct or as a block reward
        VM.recordLogs();
        claim(_leg(address(token)), address(token));
        eq(spentLogs().length, 1, "events");
        eq(claimant.balance, 0, "coin");
        Leg memory leg = swapLeg(address(token), "with coin");
        token.mint(vaultOf(leg), 100);
        pay(vaultOf(leg), 1 ether);
        claim(leg, address(token));
        eq(claimant.balance, 1 ether, "coin of the vault");
        eq(address(vaults).balance, 3 ether, "factory");
    }

    function test_a_token_that_calls_back_gains_nothing() external {
        HookedToken token = new HookedToken();
        Leg memory leg = _leg(address(token));
        address vault = vaultOf(leg);
        Leg memory native = swapLeg(COIN, "native");
        Leg memory staged = swapLeg(COIN, "staged");
        staged.ways[0].to = vault;
        token.mint(vault, 100);
        pay(vault, 5);
        pay(vaultOf(native), 1 ether);
        pay(vaultOf(staged), 1 ether);
        VM.deal(address(token), 7);
        token.prepare(address(vaults), 0, claimData(leg, address(token))); // the same vault again
        token.prepare(address(vaults), 0, claimData(leg, COIN)); // its coin
        token.prepare(address(vaults), 0, ""); // its orders
        token.prepare(address(vaults), 0, claimData(staged, COIN)); // another leg's coin, onto the dying vault
        token.prepare(vault, 7, ""); // more coin: it must not be lost
        token.prepare(address(vaults), 0, claimData(native, COIN)); // another leg, which anyone may push
        VM.recordLogs();
        claim(leg, address(token));
        require(!token.done(0) && bytes4(token.answers(0)) == IVaults.AlreadySpent.selector, "same vault, token");
        require(!token.done(1) && bytes4(token.answers(1)) == IVaults.AlreadySpent.selector, "same vault, coin");
        require(!token.done(2) && bytes4(token.answers(2)) == IVaults.NoSuchFunction.selector, "orders");
        require(!token.done(3) && bytes4(token.answers(3)) == IVaults.RecipientSpent.selector, "dying vault");
        require(token.done(4) && token.done(5), "what anyone may do");
        Vm.Log[] memory logs = spentLogs();
        eq(logs.length, 3, "events");
        isSpent(logs[0], vaultOf(native), COIN, 0, 1 ether, list(SECRET));
        isSpent(logs[1], vault, address(token), 0, 100, list(SECRET));
        isSpent(logs[2], vault, COIN, 0, 12, list(SECRET));
        eq(claimant.balance, 1 ether + 12, "claimant");
        eq(vaultOf(staged).balance, 1 ether, "staged");
        eq(token.balanceOf(claimant), 100, "tokens");
    }

    function test_coin_beside_a_token_is_not_sent_to_a_spent_vault() external {
        HookedToken token = new HookedToken();
        Leg memory target = swapLeg(COIN, "target");
        Leg memory leg = _leg(address(token));
        leg.ways[0].to = vaultOf(target);
        token.mint(vaultOf(leg), 100);
        pay(vaultOf(leg), 1 ether);
        pay(vaultOf(target), 1);
        token.prepare(address(vaults), 0, claimData(target, COIN)); // the recipient dies in the middle
        bytes32[] memory words = witness(leg, 0, list(SECRET));
        VM.expectRevert(abi.encodeWithSelector(IVaults.RecipientSpent.selector, vaultOf(target)));
        vaults.spend(address(token), Terms.word(leg, 0), words);
        eq(vaultOf(leg).balance, 1 ether, "coin");
    }

    function _leg(address token) private view returns (Leg memory) {
        return swapLeg(token, "token");
    }

    function _funded(Ledger token) private returns (address vault) {
        vault = vaultOf(_leg(address(token)));
        token.mint(vault, 100);
    }

    function _refused(address token, address vault) private {
        bytes32[] memory words = witness(_leg(token), 0, list(SECRET));
        uint256 path = Terms.word(_leg(token), 0);
        VM.recordLogs();
        VM.expectRevert(abi.encodeWithSelector(IVaults.TransferRefused.selector, vault, token));
        vaults.spend(token, path, words);
        VM.expectRevert(abi.encodeWithSelector(IVaults.TransferRefused.selector, vault, token));
        vaults.spendErc20(token, path, words[0], words[1]);
        eq(spentLogs().length, 0, "events");
        eq(Ledger(token).balanceOf(vault), 100, "vault");
        eq(Ledger(token).balanceOf(claimant), 0, "claimant");
    }
}
