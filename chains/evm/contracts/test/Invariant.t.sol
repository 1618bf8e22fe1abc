// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IVaults} from "../src/IVaults.sol";
import {Kit, Leg, Terms} from "./Kit.sol";
import {PlainToken} from "./Tokens.sol";

/// @dev What strangers and parties do to three legs, in any order, again and again. Each call is a transaction.
contract Actor is Kit {
    uint256 public constant LEGS = 3;
    uint256 private constant ALLOWANCE = 300_000;

    PlainToken public token;
    uint256 public time;
    mapping(address asset => uint256) public deposited;
    mapping(address asset => mapping(address to => uint256)) public owed; // what recipients must have got
    uint256 public spends;
    uint256 public respends; // of a vault that had been spent before
    uint256 public batched;
    mapping(uint256 which => uint256) private spentTimes;

    /// @dev One path of one leg with all that spends it, worked out once: ten thousand runs use it.
    struct Known {
        uint256 path;
        address to;
        uint256 notBefore;
        bytes32[] witness;
        uint256[] item;
    }

    address[] public vaultsOfLegs;
    mapping(uint256 which => Known[]) private known;

    constructor() {
        setUp();
        token = new PlainToken();
        time = NOW;
        for (uint256 which = 0; which < LEGS; ++which) {
            Leg memory leg = theLeg(which);
            vaultsOfLegs.push(vaultOf(leg));
            for (uint256 index = 0; index < leg.ways.length; ++index) {
                bytes32[] memory shown = _witness(leg, index);
                uint256[] memory words = new uint256[](1 + shown.length);
                words[0] = Terms.word(leg, index);
                for (uint256 k = 0; k < shown.length; ++k) {
                    words[k + 1] = uint256(shown[k]);
                }
                known[which].push(Known(words[0], leg.ways[index].to, leg.ways[index].notBefore, shown, words));
            }
        }
    }

    function theLeg(uint256 which) public view returns (Leg memory leg) {
        leg = which % 2 == 0 ? swapLeg(COIN, bytes32(which)) : collateralLeg(address(token), bytes32(which));
        leg.ways[0].to = address(uint160(0xc1a1000000 + which));
        for (uint256 i = 1; i < leg.ways.length; ++i) {
            leg.ways[i].to = address(uint160(0xf00d000000 + which));
        }
    }

    function factory() external view returns (address) {
        return address(vaults);
    }

    // --- actions

    function deposit(uint256 which, uint256 amount, bool isToken) external {
        address vault = vaultsOfLegs[which % LEGS];
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
        Known memory way = known[which][index % known[which].length];
        address asset = isToken ? address(token) : COIN;
        bool possible = _expect(way, which, asset);
        bytes32[] memory shown = way.witness;
        bytes memory data = !short || shown.length != 2
            ? abi.encodeCall(IVaults.spend, (asset, way.path, shown))
            : isToken
                ? abi.encodeCall(IVaults.spendErc20, (asset, way.path, shown[0], shown[1]))
                : abi.encodeCall(IVaults.spendCoin, (way.path, shown[0], shown[1]));
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
        for (uint256 i = 0; i < 4; ++i) {
            uint256 which = (order >> (8 * i)) % LEGS;
            Known memory way = known[which][(order >> (8 * i + 4)) % known[which].length];
            items = join(items, way.item);
            if (!seen[which] && _expect(way, which, asset)) {
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
        Known memory refund = known[which][1];
        address asset = isToken ? address(token) : COIN;
        if (vaults.balances(addresses(vaultsOfLegs[which]), asset)[0] == 0) return true;
        (bool ok,) = address(vaults).call(abi.encodeCall(IVaults.spend, (asset, refund.path, refund.witness)));
        return ok;
    }

    // --- bookkeeping

    /// @dev Whether the spend must work; if so, book what it pays.
    function _expect(Known memory way, uint256 which, address asset) private returns (bool) {
        address vault = vaultsOfLegs[which];
        uint256 amount = asset == COIN ? vault.balance : token.balanceOf(vault);
        if (amount == 0 || time < way.notBefore) return false;
        owed[asset][way.to] += amount;
        if (asset != COIN) owed[COIN][way.to] += vault.balance;
        ++spends;
        if (++spentTimes[which] > 1) ++respends;
        return true;
    }

    function _witness(Leg memory leg, uint256 index) private view returns (bytes32[] memory) {
        bytes32[] memory preimages =
            index != 0 ? none() : leg.ways[0].hashes.length == 1 ? list(SECRET) : list(SECRET, OTHER);
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
            bool isToken = actor.token().balanceOf(actor.vaultsOfLegs(i)) != 0;
            require(actor.drain(i, isToken), "stuck");
            require(
                actor.vaultsOfLegs(i).balance == 0 && actor.token().balanceOf(actor.vaultsOfLegs(i)) == 0, "left behind"
            );
        }
    }

    function _conserved(address asset) private view {
        PlainToken token = asset == address(0) ? PlainToken(address(0)) : actor.token();
        uint256 found = _balance(token, actor.factory());
        require(found == 0, "the factory holds something");
        for (uint256 i = 0; i < 3; ++i) {
            address claimant = address(uint160(0xc1a1000000 + i));
            address refunder = address(uint160(0xf00d000000 + i));
            require(_balance(token, claimant) == actor.owed(asset, claimant), "claimant");
            require(_balance(token, refunder) == actor.owed(asset, refunder), "refunder");
            found += _balance(token, actor.vaultsOfLegs(i)) + _balance(token, claimant) + _balance(token, refunder);
        }
        require(found == actor.deposited(asset), "a unit was lost or made");
    }

    function _balance(PlainToken token, address account) private view returns (uint256) {
        return address(token) == address(0) ? account.balance : token.balanceOf(account);
    }
}
