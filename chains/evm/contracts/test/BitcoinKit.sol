// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IBitcoinLightClient} from "../src/IBitcoinLightClient.sol";
import {Vm} from "./Kit.sol";

/// @dev Headers mined here, at targets that a few hashes meet. Written from Bitcoin's rules, not from the contract.
abstract contract BitcoinKit {
    Vm internal constant VM = Vm(address(uint160(uint256(keccak256("hevm cheat code")))));
    uint32 internal constant EASY = 0x207fffff; // two hashes a block
    uint32 internal constant HARDER = 0x203fffff; // four
    uint256 internal constant START = 1_700_000_000;
    uint256 internal constant SPACING = 600;
    uint256 internal constant EPOCH_SECONDS = 1_209_600;

    IBitcoinLightClient internal client;
    bytes[] internal chain; // the best chain's headers, from the one eleven before and with the anchor
    uint256 internal base; // height of chain[0]

    // --- a chain

    function easy() internal pure returns (IBitcoinLightClient.Network memory) {
        return IBitcoinLightClient.Network(EASY, 0, false, false, false);
    }

    /// @dev A client with its anchor at this height, ten headers before it known here.
    function begin(IBitcoinLightClient.Network memory network, uint256 height, uint32 bits, uint256 epochTime)
        internal
    {
        delete chain;
        uint256 before = height < 10 ? height : 10;
        base = height - before;
        for (uint256 i = 0; i <= before; ++i) {
            chain.push(mine(i == 0 ? bytes32("before") : hashOf(chain[i - 1]), START + SPACING * i, bits, 0));
        }
        VM.warp(START + SPACING * 5000);
        client = deploy(network, anchor(chain[before], height, epochTime, bits), true);
    }

    function anchor(bytes memory header, uint256 height, uint256 epochTime, uint32 epochBits)
        internal
        pure
        returns (IBitcoinLightClient.Anchor memory)
    {
        return IBitcoinLightClient.Anchor(header, uint32(height), uint128(1000), uint32(epochTime), epochBits);
    }

    function deploy(
        IBitcoinLightClient.Network memory network,
        IBitcoinLightClient.Anchor memory start,
        bool permitInsecure
    ) internal returns (IBitcoinLightClient) {
        return IBitcoinLightClient(created(creation(network, start, permitInsecure)));
    }

    /// @dev Deployed, or reverted with the constructor's error.
    function created(bytes memory code) internal returns (address made) {
        assembly ("memory-safe") {
            made := create(0, add(code, 0x20), mload(code))
            if iszero(made) {
                let free := mload(0x40)
                returndatacopy(free, 0, returndatasize())
                revert(free, returndatasize())
            }
        }
    }

    function creation(
        IBitcoinLightClient.Network memory network,
        IBitcoinLightClient.Anchor memory start,
        bool permitInsecure
    ) internal view returns (bytes memory) {
        bytes memory code = VM.getCode("BitcoinLightClient.sol:BitcoinLightClient");
        return abi.encodePacked(code, abi.encode(network, start, permitInsecure));
    }

    function tipHeight() internal view returns (uint256) {
        return base + chain.length - 1;
    }

    /// @dev Append a header to the chain here, which the client does not know of yet.
    function grow(uint256 time, uint32 bits) internal {
        chain.push(mine(hashOf(chain[chain.length - 1]), time, bits, 0));
    }

    function growMany(uint256 count) internal {
        for (uint256 i = 0; i < count; ++i) {
            bytes memory last = chain[chain.length - 1];
            grow(timeOf(last) + SPACING, bitsOf(last));
        }
    }

    /// @dev The chain's headers from place `from` on, with as many before it as the median needs.
    function batch(uint256 from) internal view returns (uint256 known, bytes memory headers) {
        known = from < 11 ? from : 11;
        headers = join(from - known, chain.length);
    }

    function join(uint256 from, uint256 to) internal view returns (bytes memory headers) {
        for (uint256 i = from; i < to; ++i) {
            headers = bytes.concat(headers, chain[i]);
        }
    }

    function submit(uint256 from) internal returns (bytes32) {
        (uint256 known, bytes memory headers) = batch(from);
        return client.submit(known, headers);
    }

    function refused(uint256 from, bytes memory why) internal {
        (uint256 known, bytes memory headers) = batch(from);
        refused(known, headers, why);
    }

    function refused(uint256 known, bytes memory headers, bytes memory why) internal {
        bytes32 best = client.tip();
        VM.expectRevert(why);
        client.submit(known, headers);
        require(client.tip() == best, "tip moved");
    }

    // --- headers

    /// @dev The first nonce whose hash meets the target.
    function mine(bytes32 previous, uint256 time, uint32 bits, bytes32 root) internal pure returns (bytes memory) {
        uint256 target = targetOf(bits);
        bytes memory front = abi.encodePacked(uint32(0x20000000), previous, root, le(time), le(bits));
        for (uint256 nonce = 0;; ++nonce) {
            bytes memory header = bytes.concat(front, le(nonce));
            if (value(hashOf(header)) <= target) return header;
        }
        revert();
    }

    /// @dev A header whose hash does not meet the target.
    function fake(bytes32 previous, uint256 time, uint32 bits) internal pure returns (bytes memory) {
        uint256 target = targetOf(bits);
        bytes memory front = abi.encodePacked(uint32(0x20000000), previous, bytes32(0), le(time), le(bits));
        for (uint256 nonce = 0;; ++nonce) {
            bytes memory header = bytes.concat(front, le(nonce));
            if (value(hashOf(header)) > target) return header;
        }
        revert();
    }

    function hashOf(bytes memory data) internal pure returns (bytes32) {
        return sha256(abi.encodePacked(sha256(data)));
    }

    function le(uint256 number) internal pure returns (bytes4) {
        return bytes4(
            uint32(
                (number & 0xff) << 24 | (number >> 8 & 0xff) << 16 | (number >> 16 & 0xff) << 8 | (number >> 24 & 0xff)
            )
        );
    }

    /// @dev A hash as the number that is compared with a target: its bytes reversed.
    function value(bytes32 hash) internal pure returns (uint256 number) {
        for (uint256 i = 32; i > 0; --i) {
            number = number << 8 | uint8(hash[i - 1]);
        }
    }

    function numberAt(bytes memory header, uint256 place) internal pure returns (uint256 number) {
        for (uint256 i = 4; i > 0; --i) {
            number = number << 8 | uint8(header[place + i - 1]);
        }
    }

    function timeOf(bytes memory header) internal pure returns (uint256) {
        return numberAt(header, 68);
    }

    function bitsOf(bytes memory header) internal pure returns (uint32) {
        return uint32(numberAt(header, 72));
    }

    /// @dev Only for sizes of at least three bytes, as all here.
    function targetOf(uint32 bits) internal pure returns (uint256) {
        return uint256(bits & 0x7fffff) << (8 * (uint256(bits >> 24) - 3));
    }

    /// @dev The largest compact form whose target is not above this one, found by trying.
    function compact(uint256 target) internal pure returns (uint32) {
        for (uint256 size = 32; size > 3; --size) {
            uint256 high = target >> (8 * (size - 3));
            if (high > 0x7fff && high < 0x800000) return uint32(size << 24 | high);
        }
        return target >> 232 == 0 ? uint32(3 << 24 | target) : uint32(33 << 24 | target >> 240);
    }

    function slice(bytes memory data, uint256 from, uint256 size) internal pure returns (bytes memory part) {
        part = new bytes(size);
        for (uint256 i = 0; i < size; ++i) {
            part[i] = data[from + i];
        }
    }

    function eq(uint256 found, uint256 expected, string memory what) internal pure {
        if (found != expected) revert Unequal(what, found, expected);
    }

    error Unequal(string what, uint256 found, uint256 expected);
}
