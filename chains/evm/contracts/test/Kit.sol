// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IVaults} from "../src/IVaults.sol";
import {VAULT_CODE_0, VAULT_CODE_1} from "../src/VaultCode.sol";

/// @dev The cheat codes of forge that these tests use.
interface Vm {
    struct Log {
        bytes32[] topics;
        bytes data;
        address emitter;
    }

    function addr(uint256 privateKey) external pure returns (address);
    function assume(bool condition) external pure;
    function chainId(uint256 id) external;
    function deal(address account, uint256 balance) external;
    function etch(address target, bytes calldata code) external;
    function expectRevert(bytes calldata data) external;
    function expectRevert(bytes4 data) external;
    function getCode(string calldata artifact) external view returns (bytes memory);
    function getRecordedLogs() external returns (Log[] memory);
    function prank(address sender) external;
    function recordLogs() external;
    function sign(uint256 privateKey, bytes32 digest) external pure returns (uint8 v, bytes32 r, bytes32 s);
    function warp(uint256 time) external;
}

struct Way {
    address to;
    uint64 notBefore;
    bytes32[] hashes;
    address[] signers;
}

struct Leg {
    address asset;
    uint256 amount;
    bytes32 salt;
    Way[] ways;
}

/// @dev Written from the text of IVaults alone: a second opinion on terms, addresses and witnesses.
library Terms {
    function word(Leg memory leg, uint256 index) internal pure returns (uint256) {
        Way memory way = leg.ways[index];
        return (index << 240) | (way.signers.length << 232) | (way.hashes.length << 224)
            | (uint256(way.notBefore) << 160) | uint160(way.to);
    }

    function leaf(Leg memory leg, uint256 index, uint256 chain) internal pure returns (bytes32) {
        Way memory way = leg.ways[index];
        bytes memory data = abi.encodePacked(chain, word(leg, index), way.hashes);
        for (uint256 i = 0; i < way.signers.length; ++i) {
            data = abi.encodePacked(data, uint256(uint160(way.signers[i])));
        }
        return keccak256(data);
    }

    /// @dev The node of path `index`, the head where there is none.
    function node(Leg memory leg, uint256 index, uint256 chain) internal pure returns (bytes32) {
        if (index == leg.ways.length) {
            return keccak256(abi.encodePacked(uint256(uint160(leg.asset)), leg.amount, leg.salt));
        }
        return keccak256(abi.encodePacked(leaf(leg, index, chain), node(leg, index + 1, chain)));
    }

    function witness(
        Leg memory leg,
        uint256 index,
        uint256 chain,
        bytes32[] memory preimages,
        bytes32[] memory consents
    ) internal pure returns (bytes32[] memory words) {
        uint256 signers = leg.ways[index].signers.length;
        words = new bytes32[](preimages.length + 3 * signers + index + 1);
        uint256 at = 0;
        for (uint256 i = 0; i < preimages.length; ++i) {
            words[at++] = preimages[i];
        }
        for (uint256 i = 0; i < signers; ++i) {
            words[at++] = bytes32(uint256(uint160(leg.ways[index].signers[i])));
            words[at++] = consents[2 * i];
            words[at++] = consents[2 * i + 1];
        }
        for (uint256 i = 0; i < index; ++i) {
            words[at++] = leaf(leg, i, chain);
        }
        words[at] = node(leg, index + 1, chain);
    }
}

/// @dev Several calls in one transaction.
contract Bundle {
    struct Step {
        address target;
        uint256 value;
        bytes data;
    }

    function run(Step[] calldata steps) external payable returns (bool[] memory done, bytes[] memory answers) {
        done = new bool[](steps.length);
        answers = new bytes[](steps.length);
        for (uint256 i = 0; i < steps.length; ++i) {
            (done[i], answers[i]) = steps[i].target.call{value: steps[i].value}(steps[i].data);
        }
    }
}

/// @dev What every test starts from. Where a contract sets `isolate`, every call from a test is a transaction of its own;
/// without it a test is one transaction, and in invariant tests every call of an action.
abstract contract Kit {
    Vm internal constant VM = Vm(address(uint160(uint256(keccak256("hevm cheat code")))));
    uint64 internal constant EXPIRY = 1_900_000_000;
    uint256 internal constant NOW = 1_800_000_000;
    address internal constant COIN = address(0);
    bytes32 internal constant SECRET = "secret of the first hash lock";
    bytes32 internal constant OTHER = "the secret of the other hash";
    uint256 internal constant SIGNER_KEY = 0xa11ce;
    uint256 internal constant SECOND_KEY = 0xb0b;

    IVaults internal vaults;
    Bundle internal bundle;
    uint256 internal chain;
    address internal claimant = address(0xC1A100000000000000000000000000000000C1a1);
    address internal refunder = address(0xF00D00000000000000000000000000000000F00d);

    function setUp() public virtual {
        chain = block.chainid;
        vaults = newFactory();
        bundle = new Bundle();
        VM.warp(NOW);
    }

    /// @dev By name, for an import would compile the tests as slowly as what is shipped.
    function create(string memory artifact, bytes memory arguments) internal returns (address made) {
        bytes memory code = abi.encodePacked(VM.getCode(artifact), arguments);
        assembly ("memory-safe") {
            made := create(0, add(code, 0x20), mload(code))
        }
        require(made != address(0), artifact);
    }

    function newFactory() internal returns (IVaults) {
        return IVaults(create("Vaults.sol:Vaults", ""));
    }

    // --- legs

    /// @dev A swap leg: claim with a preimage, refund from EXPIRY on.
    function swapLeg(address asset, bytes32 salt) internal view returns (Leg memory leg) {
        leg.asset = asset;
        leg.amount = 1 ether;
        leg.salt = salt;
        leg.ways = new Way[](2);
        leg.ways[0] = way(claimant, 0, list(sha256(abi.encode(SECRET))), new address[](0));
        leg.ways[1] = way(refunder, EXPIRY, new bytes32[](0), new address[](0));
    }

    /// @dev A collateral leg: exercise with two preimages, refund from EXPIRY on, release with a consent.
    function collateralLeg(address asset, bytes32 salt) internal view returns (Leg memory leg) {
        leg.asset = asset;
        leg.amount = 1 ether;
        leg.salt = salt;
        leg.ways = new Way[](3);
        leg.ways[0] = way(claimant, 0, hashes(), new address[](0));
        leg.ways[1] = way(refunder, EXPIRY, new bytes32[](0), new address[](0));
        leg.ways[2] = way(refunder, 0, new bytes32[](0), addresses(VM.addr(SIGNER_KEY)));
    }

    function way(address to, uint64 notBefore, bytes32[] memory locks, address[] memory signers)
        internal
        pure
        returns (Way memory)
    {
        return Way(to, notBefore, locks, signers);
    }

    function list(bytes32 one) internal pure returns (bytes32[] memory words) {
        words = new bytes32[](1);
        words[0] = one;
    }

    function list(bytes32 one, bytes32 two) internal pure returns (bytes32[] memory words) {
        words = new bytes32[](2);
        (words[0], words[1]) = (one, two);
    }

    function none() internal pure returns (bytes32[] memory) {
        return new bytes32[](0);
    }

    function hashes() internal pure returns (bytes32[] memory) {
        return list(sha256(abi.encode(SECRET)), sha256(abi.encode(OTHER)));
    }

    function addresses(address one) internal pure returns (address[] memory all) {
        all = new address[](1);
        all[0] = one;
    }

    function vaultOf(Leg memory leg) internal view returns (address) {
        bytes32 code = keccak256(abi.encodePacked(VAULT_CODE_0, VAULT_CODE_1));
        bytes32 hash = keccak256(abi.encodePacked(bytes1(0xff), address(vaults), Terms.node(leg, 0, chain), code));
        return address(uint160(uint256(hash)));
    }

    /// @dev r and yParityAndS of a consent, as the chain stands.
    function consent(Leg memory leg, uint256 index, uint256 key) internal view returns (bytes32[] memory) {
        (uint8 v, bytes32 r, bytes32 s) = VM.sign(key, vaults.consentDigest(Terms.node(leg, 0, chain), index));
        return list(r, bytes32(uint256(s) | (uint256(v - 27) << 255)));
    }

    // --- spending

    function witness(Leg memory leg, uint256 index, bytes32[] memory preimages)
        internal
        view
        returns (bytes32[] memory)
    {
        return Terms.witness(leg, index, chain, preimages, none());
    }

    function spend(Leg memory leg, address asset, uint256 index, bytes32[] memory preimages) internal {
        vaults.spend(asset, Terms.word(leg, index), witness(leg, index, preimages));
    }

    function claim(Leg memory leg, address asset) internal {
        spend(leg, asset, 0, list(SECRET));
    }

    function claimData(Leg memory leg, address asset) internal view returns (bytes memory) {
        return abi.encodeCall(IVaults.spend, (asset, Terms.word(leg, 0), witness(leg, 0, list(SECRET))));
    }

    function item(Leg memory leg, uint256 index, bytes32[] memory preimages)
        internal
        view
        returns (uint256[] memory words)
    {
        bytes32[] memory shown = witness(leg, index, preimages);
        words = new uint256[](1 + shown.length);
        words[0] = Terms.word(leg, index);
        for (uint256 i = 0; i < shown.length; ++i) {
            words[i + 1] = uint256(shown[i]);
        }
    }

    function join(uint256[] memory one, uint256[] memory two) internal pure returns (uint256[] memory all) {
        all = new uint256[](one.length + two.length);
        for (uint256 i = 0; i < all.length; ++i) {
            all[i] = i < one.length ? one[i] : two[i - one.length];
        }
    }

    /// @dev Not to a vault that was spent before in the same test: forge keeps an account destroyed by an isolated call
    /// destroyed for good. What takes several transactions of one vault is in Invariant.t.sol and in tests on a node.
    function pay(address to, uint256 amount) internal {
        VM.deal(to, to.balance + amount);
    }

    // --- claims about the world

    function ok(bool holds, string memory what) internal pure {
        require(holds, what);
    }

    function eq(uint256 found, uint256 expected, string memory what) internal pure {
        if (found != expected) revert Unequal(what, found, expected);
    }

    error Unequal(string what, uint256 found, uint256 expected);

    /// @dev The log entry is the Spent event that these say.
    function isSpent(
        Vm.Log memory log,
        address vault,
        address asset,
        uint256 index,
        uint256 amount,
        bytes32[] memory shown
    ) internal view {
        require(log.emitter == address(vaults), "emitter");
        require(log.topics.length == 1 && log.topics[0] == bytes32(uint256(uint160(vault))), "vault");
        bytes memory data = abi.encodePacked((uint256(uint160(asset)) << 96) | index, amount, shown);
        require(keccak256(log.data) == keccak256(data), "event data");
    }

    function spentLogs() internal returns (Vm.Log[] memory ours) {
        Vm.Log[] memory all = VM.getRecordedLogs();
        uint256 count = 0;
        for (uint256 i = 0; i < all.length; ++i) {
            if (all[i].emitter == address(vaults)) ++count;
        }
        ours = new Vm.Log[](count);
        for (uint256 i = all.length; i > 0; --i) {
            if (all[i - 1].emitter == address(vaults)) ours[--count] = all[i - 1];
        }
    }
}
