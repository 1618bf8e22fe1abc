// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IVaults} from "../src/IVaults.sol";
import {Kit, Leg, Terms} from "./Kit.sol";
import {PlainToken} from "./Tokens.sol";

/// @dev What strangers and parties do to four legs, in any order, again and again. Each call is a transaction.
contract Actor is Kit {
    uint256 public constant LEGS = 4;
    uint256 private constant ALLOWANCE = 300_000;

    PlainToken public token;
    uint256 public time;
    mapping(address asset => uint256) public deposited;
    mapping(address asset => mapping(address to => uint256)) public owed; // what recipients must have got
    uint256 public spends;
    uint256 public respends; // of a vault that had been spent before
    uint256 public batched;
    mapping(uint256 which => uint256) private spentTimes;

    constructor() {
        setUp();
        token = new PlainToken();
        time = NOW;
    }

    function theLeg(uint256 which) public view returns (Leg memory leg) {
        leg = which % 2 == 0 ? swapLeg(COIN, bytes32(which)) : collateralLeg(address(token), bytes32(which));
        leg.ways[0].to = address(uint160(0xc1a1000000 + which));
        for (uint256 i = 1; i < leg.ways.length; ++i) {
            leg.ways[i].to = address(uint160(0xf00d000000 + which));
        }
    }

    function theVault(uint256 which) public view returns (address) {
        return vaultOf(theLeg(which));
    }

    function factory() external view returns (address) {
        return address(vaults);
    }

    // --- actions

    function deposit(uint256 which, uint256 amount, bool isToken) external {
        address vault = theVault(which % LEGS);
        amount = 1 + amount % 1e30;
        deposited[isToken ? address(token) : COIN] += amount;
        if (isToken) {
            token.mint(vault, amount);
        } else {
            VM.deal(address(this), amount);
            (bool ok,) = vault.call{value: amount}("");
            require(ok, "deposit");
        }
    }

    function wait(uint256 seconds_) external {
        time += seconds_ % 50_000_000;
    }

    function spendOne(uint256 which, uint256 index, bool isToken, bool short) external {
        VM.warp(time);
        which %= LEGS;
        Leg memory leg = theLeg(which);
        index %= leg.ways.length;
        address asset = isToken ? address(token) : COIN;
        bool possible = _expect(leg, which, index, asset);
        bytes32[] memory shown = _witness(leg, index);
        uint256 path = Terms.word(leg, index);
        bytes memory data = !short || shown.length != 2
            ? abi.encodeCall(IVaults.spend, (asset, path, shown))
            : isToken
                ? abi.encodeCall(IVaults.spendErc20, (asset, path, shown[0], shown[1]))
                : abi.encodeCall(IVaults.spendCoin, (path, shown[0], shown[1]));
        (bool ok,) = address(vaults).call(data);
        require(ok == possible, "a spend that had to work did not, or the other way round");
        // once more in the same transaction: never
        bytes memory reason;
        (ok, reason) = address(vaults).call(data);
        require(!ok, "spent twice in one transaction");
        if (possible) require(bytes4(reason) == IVaults.AlreadySpent.selector, "not refused as a second spend");
    }

    function spendBatch(uint256 order, bool isToken) external {
        VM.warp(time);
        address asset = isToken ? address(token) : COIN;
        uint256[] memory items = new uint256[](0);
        uint256 expected = 0;
        bool[LEGS] memory seen;
        for (uint256 i = 0; i < LEGS; ++i) {
            uint256 which = (order >> (8 * i)) % LEGS;
            Leg memory leg = theLeg(which);
            uint256 index = (order >> (8 * i + 4)) % leg.ways.length;
            bytes32[] memory shown = _witness(leg, index);
            uint256[] memory words = new uint256[](1 + shown.length);
            words[0] = Terms.word(leg, index);
            for (uint256 k = 0; k < shown.length; ++k) {
                words[k + 1] = uint256(shown[k]);
            }
            items = join(items, words);
            if (!seen[which] && _expect(leg, which, index, asset)) {
                seen[which] = true;
                ++expected;
            }
        }
        (bool ok, bytes memory answer) =
            address(vaults).call(abi.encodeCall(IVaults.spendMany, (asset, ALLOWANCE, items)));
        require(ok == (expected != 0), "batch");
        if (!ok) return;
        eq(abi.decode(answer, (uint256)), expected, "spent in a batch");
        batched += expected;
    }

    // --- the end

    /// @dev Every leg's refund, long after all is due, of both assets: whatever was sent to a vault comes out.
    function drain(uint256 which, bool isToken) external returns (bool) {
        VM.warp(EXPIRY + time);
        Leg memory leg = theLeg(which);
        address asset = isToken ? address(token) : COIN;
        if (vaults.balances(addresses(vaultOf(leg)), asset)[0] == 0) return true;
        (bool ok,) = address(vaults).call(
            abi.encodeCall(IVaults.spend, (asset, Terms.word(leg, 1), Terms.witness(leg, 1, chain, none(), none())))
        );
        return ok;
    }

    // --- bookkeeping

    /// @dev Whether the spend must work; if so, book what it pays.
    function _expect(Leg memory leg, uint256 which, uint256 index, address asset) private returns (bool) {
        address vault = vaultOf(leg);
        uint256 amount = vaults.balances(addresses(vault), asset)[0];
        if (amount == 0 || time < leg.ways[index].notBefore) return false;
        owed[asset][leg.ways[index].to] += amount;
        if (asset != COIN) owed[COIN][leg.ways[index].to] += vault.balance;
        ++spends;
        if (++spentTimes[which] > 1) ++respends;
        return true;
    }

    function _witness(Leg memory leg, uint256 index) private view returns (bytes32[] memory) {
        bytes32[] memory preimages = index != 0 ? none() : leg.ways[0].hashes.length == 1 ? list(SECRET) : list(SECRET, OTHER);
        bytes32[] memory consents = index == 2 ? consent(leg, 2, SIGNER_KEY) : none();
        return Terms.witness(leg, index, chain, preimages, consents);
    }
}

contract InvariantTest {
    Actor private actor;

    struct FuzzSelector {
        address addr;
        bytes4[] selectors;
    }

    function setUp() external {
        actor = new Actor();
    }

    function targetSelectors() external view returns (FuzzSelector[] memory targets) {
        targets = new FuzzSelector[](1);
        bytes4[] memory selectors = new bytes4[](6);
        // deposits and spends twice, so that most vaults are spent many times
        selectors[0] = Actor.deposit.selector;
        selectors[1] = Actor.deposit.selector;
        selectors[2] = Actor.spendOne.selector;
        selectors[3] = Actor.spendOne.selector;
        selectors[4] = Actor.spendBatch.selector;
        selectors[5] = Actor.wait.selector;
        targets[0] = FuzzSelector(address(actor), selectors);
    }

    function targetContracts() external view returns (address[] memory targets) {
        targets = new address[](1);
        targets[0] = address(actor);
    }

    /// @dev No unit is lost, none is paid to anyone but the recipient of the path that was taken, and none stays with
    /// the factory.
    function invariant_every_unit_is_at_its_vault_or_its_recipient() external view {
        _conserved(address(0));
        _conserved(address(actor.token()));
    }

    /// @dev No funded vault is unspendable for ever, however often and however late it was funded.
    function afterInvariant() external {
        for (uint256 i = 0; i < actor.LEGS(); ++i) {
            // coin goes along with a token; a vault is spent once a transaction
            bool isToken = actor.token().balanceOf(actor.theVault(i)) != 0;
            require(actor.drain(i, isToken), "stuck");
            require(actor.theVault(i).balance == 0 && actor.token().balanceOf(actor.theVault(i)) == 0, "left behind");
        }
    }

    function _conserved(address asset) private view {
        uint256 found = _balance(asset, actor.factory());
        require(found == 0, "the factory holds something");
        for (uint256 i = 0; i < actor.LEGS(); ++i) {
            address claimant = address(uint160(0xc1a1000000 + i));
            address refunder = address(uint160(0xf00d000000 + i));
            require(_balance(asset, claimant) == actor.owed(asset, claimant), "claimant");
            require(_balance(asset, refunder) == actor.owed(asset, refunder), "refunder");
            found += _balance(asset, actor.theVault(i)) + _balance(asset, claimant) + _balance(asset, refunder);
        }
        require(found == actor.deposited(asset), "a unit was lost or made");
    }

    function _balance(address asset, address account) private view returns (uint256) {
        return asset == address(0) ? account.balance : actor.token().balanceOf(account);
    }
}
