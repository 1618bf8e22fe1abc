// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IVaults} from "../src/IVaults.sol";
import {Kit, Leg, Terms, Vm, Way} from "./Kit.sol";
import {PlainToken} from "./Tokens.sol";

/// @notice Policies at random: every path pays its recipient and no one else, and nothing else opens a vault.
contract FuzzTest is Kit {
    uint256 private constant PATHS = 4;
    uint256 private constant SIGNERS = 2;

    PlainToken private token;

    function setUp() public override {
        super.setUp();
        token = new PlainToken();
    }

    /// @dev The path pays all to its recipient; the other recipients, the factory and the pusher get nothing.
    function testFuzz_only_the_paths_recipient_is_paid(uint256 seed, uint256 amount, bool isToken) external {
        Leg memory leg = _randomLeg(seed);
        uint256 taken = seed % leg.ways.length;
        amount = 1 + amount % (isToken ? type(uint256).max : 2 ** 128);
        address asset = isToken ? address(token) : COIN;
        address vault = vaultOf(leg);
        if (isToken) token.mint(vault, amount);
        else pay(vault, amount);
        (bytes32[] memory shown, bytes32[] memory preimages) = _randomWitness(leg, seed, taken);
        require(vaults.termsOf(Terms.word(leg, taken), shown) == Terms.node(leg, 0, chain), "terms");
        require(vaults.addressOf(Terms.node(leg, 0, chain)) == vault, "address");
        VM.warp(uint256(leg.ways[taken].notBefore) + NOW);
        uint256 factory = address(vaults).balance;
        VM.recordLogs();
        vaults.spend(asset, Terms.word(leg, taken), shown);
        uint256 paid = isToken && amount > 2 ** 191 ? 2 ** 191 : amount;
        Vm.Log[] memory logs = spentLogs();
        eq(logs.length, 1, "events");
        isSpent(logs[0], vault, asset, taken, paid, preimages);
        eq(vaults.balances(_one(vault), asset)[0], amount - paid, "vault");
        for (uint256 i = 0; i < leg.ways.length; ++i) {
            eq(vaults.balances(_one(leg.ways[i].to), asset)[0], i == taken ? paid : 0, "recipient");
        }
        eq(address(vaults).balance, factory, "factory");
        eq(token.balanceOf(address(vaults)) + token.balanceOf(address(this)), 0, "tokens elsewhere");
    }

    /// @dev One bit of the path or its witness changed, and the money stays where it is.
    function testFuzz_no_other_witness_opens_a_vault(uint256 seed, uint256 place, uint8 bit, bool isToken) external {
        Leg memory leg = _randomLeg(seed);
        uint256 taken = seed % leg.ways.length;
        address asset = isToken ? address(token) : COIN;
        address vault = vaultOf(leg);
        if (isToken) token.mint(vault, 1 ether);
        else pay(vault, 1 ether);
        (bytes32[] memory shown,) = _randomWitness(leg, seed, taken);
        uint256 path = Terms.word(leg, taken);
        VM.warp(uint256(leg.ways[taken].notBefore) + NOW);
        place %= shown.length + 1;
        if (place == shown.length) path ^= 1 << bit;
        else shown[place] ^= bytes32(uint256(1) << bit);
        try vaults.spend(asset, path, shown) {
            revert("a changed witness spent something");
        } catch {}
        if (shown.length == 2) {
            try vaults.spendCoin(path, shown[0], shown[1]) {
                revert("a changed witness spent coin");
            } catch {}
            try vaults.spendErc20(address(token), path, shown[0], shown[1]) {
                revert("a changed witness spent tokens");
            } catch {}
        }
        eq(vaults.balances(_one(vault), asset)[0], 1 ether, "vault");
    }

    /// @dev Before its time a path pays nobody, whatever is shown.
    function testFuzz_no_path_pays_before_its_time(uint256 seed, uint64 early) external {
        Leg memory leg = _randomLeg(seed);
        uint256 taken = seed % leg.ways.length;
        uint256 notBefore = leg.ways[taken].notBefore;
        if (notBefore == 0) return;
        pay(vaultOf(leg), 1 ether);
        (bytes32[] memory shown,) = _randomWitness(leg, seed, taken);
        uint256 time = early % notBefore;
        VM.warp(time);
        VM.expectRevert(abi.encodeWithSelector(IVaults.TooEarly.selector, notBefore, time));
        vaults.spend(COIN, Terms.word(leg, taken), shown);
    }

    /// @dev A batch spends what can be spent, once each, and pays what single spends would pay.
    function testFuzz_a_batch_is_its_items(uint256 seed, uint8 funded, bool isToken) external {
        address asset = isToken ? address(token) : COIN;
        uint256[] memory items = new uint256[](0);
        uint256 expected = 0;
        for (uint256 i = 0; i < 4; ++i) {
            Leg memory leg = i % 2 == 0 ? swapLeg(asset, bytes32(seed ^ i)) : collateralLeg(asset, bytes32(seed ^ i));
            uint256[] memory words = item(leg, 0, i % 2 == 0 ? list(SECRET) : list(SECRET, OTHER));
            items = join(items, words);
            if ((seed >> i) & 1 == 1) items = join(items, words); // repeated
            if ((funded >> i) & 1 == 0) continue;
            ++expected;
            if (isToken) token.mint(vaultOf(leg), 10 ** i);
            else pay(vaultOf(leg), 10 ** i);
        }
        if (expected == 0) {
            VM.expectRevert(abi.encodeWithSelector(IVaults.NothingSpent.selector));
            vaults.spendMany(asset, 300_000, items);
            return;
        }
        eq(vaults.spendMany(asset, 300_000, items), expected, "spent");
        uint256 sum = 0;
        for (uint256 i = 0; i < 4; ++i) {
            if ((funded >> i) & 1 == 1) sum += 10 ** i;
        }
        eq(vaults.balances(_one(claimant), asset)[0], sum, "claimant");
    }

    // --- random legs

    function _randomLeg(uint256 seed) private view returns (Leg memory leg) {
        leg.asset = _bits(seed, 1) % 2 == 0 ? COIN : address(token);
        leg.amount = _bits(seed, 2);
        leg.salt = bytes32(_bits(seed, 3));
        leg.ways = new Way[](1 + _bits(seed, 4) % PATHS);
        for (uint256 i = 0; i < leg.ways.length; ++i) {
            uint256 bits = _bits(seed, 100 + i);
            bytes32[] memory locks = new bytes32[](bits % 3);
            for (uint256 k = 0; k < locks.length; ++k) {
                locks[k] = sha256(abi.encode(_preimage(seed, i, k)));
            }
            address[] memory signers = new address[]((bits >> 8) % (SIGNERS + 1));
            for (uint256 k = 0; k < signers.length; ++k) {
                signers[k] = VM.addr(_key(seed, i, k));
            }
            uint64 notBefore = (bits >> 16) % 2 == 0 ? 0 : uint64(1 + ((bits >> 24) % 2 ** 40));
            leg.ways[i] = way(address(uint160(_bits(seed, 200 + i))), notBefore, locks, signers);
        }
    }

    function _randomWitness(Leg memory leg, uint256 seed, uint256 index)
        private
        view
        returns (bytes32[] memory shown, bytes32[] memory preimages)
    {
        preimages = new bytes32[](leg.ways[index].hashes.length);
        for (uint256 k = 0; k < preimages.length; ++k) {
            preimages[k] = _preimage(seed, index, k);
        }
        bytes32[] memory consents = new bytes32[](2 * leg.ways[index].signers.length);
        for (uint256 k = 0; k < leg.ways[index].signers.length; ++k) {
            bytes32[] memory one = consent(leg, index, _key(seed, index, k));
            (consents[2 * k], consents[2 * k + 1]) = (one[0], one[1]);
        }
        shown = Terms.witness(leg, index, chain, preimages, consents);
    }

    function _bits(uint256 seed, uint256 label) private pure returns (uint256) {
        return uint256(keccak256(abi.encode(seed, label)));
    }

    function _preimage(uint256 seed, uint256 index, uint256 k) private pure returns (bytes32) {
        return keccak256(abi.encode(seed, "preimage", index, k));
    }

    function _key(uint256 seed, uint256 index, uint256 k) private pure returns (uint256) {
        return 1 + uint256(keccak256(abi.encode(seed, "key", index, k))) % 2 ** 128;
    }

    function _one(address account) private pure returns (address[] memory) {
        return addresses(account);
    }
}
