// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IQuorum} from "./IQuorum.sol";

/// @title See IQuorum
contract Quorum is IQuorum {
    struct Set {
        bytes32 members;
        uint64 until;
    }

    bytes32 private constant DOMAIN_TYPE =
        keccak256("EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)");
    bytes32 private constant NAME = keccak256("Strikelock Quorum");
    bytes32 private constant VERSION = keccak256("1");
    bytes32 private constant ROTATION_TYPE = keccak256("Rotation(uint32 set,bytes members)");
    /// @dev Half the order of secp256k1: of the two valid forms of a signature only the lower is taken (EIP-2).
    uint256 private constant MAX_S = 0x7fffffffffffffffffffffffffffffff5d576e7357a4501ddfe92f46681b20a0;
    uint256 private constant S_MASK = 2 ** 255 - 1;
    uint256 private constant ADDRESS = 20;
    uint256 private constant SIGNATURE = 64;
    uint256 private constant MOST = 255;

    /// @notice Seconds for which a replaced set stays good.
    uint64 public immutable GRACE;
    /// @notice Whether a single signer may be a quorum: for local chains, and no security.
    bool public immutable REGTEST;

    uint32 public current;
    mapping(uint32 set => Set) public sets;

    constructor(bytes memory members, uint64 grace, bool regtest) {
        GRACE = grace;
        REGTEST = regtest;
        _install(1, members);
        emit Rotated(1, members, 0);
    }

    function verify(bytes32 digest, uint32 set, bytes calldata members, bytes calldata signatures) external view {
        Set storage found = sets[set];
        if (found.until < block.timestamp) revert NotInForce(set);
        _check(found, digest, set, members, signatures);
    }

    function rotate(bytes calldata next, bytes calldata members, bytes calldata signatures) external {
        uint32 old = current;
        uint32 set = old + 1;
        _check(sets[old], rotationDigest(set, next), old, members, signatures);
        uint64 until = uint64(block.timestamp) + GRACE;
        sets[old].until = until;
        _install(set, next);
        emit Rotated(set, next, until);
    }

    function threshold(uint256 n) public pure returns (uint256) {
        return 2 * n / 3 + 1;
    }

    function rotationDigest(uint32 set, bytes calldata next) public view returns (bytes32) {
        bytes32 domain = keccak256(abi.encode(DOMAIN_TYPE, NAME, VERSION, block.chainid, address(this)));
        bytes32 content = keccak256(abi.encode(ROTATION_TYPE, set, keccak256(next)));
        return keccak256(abi.encodePacked(hex"1901", domain, content));
    }

    /// @dev Only the set that is in force, or in its grace period, comes here.
    function _check(Set storage found, bytes32 digest, uint32 set, bytes calldata members, bytes calldata signatures)
        private
        view
    {
        if (keccak256(members) != found.members) revert NotTheMembers(set);
        uint256 needed = threshold(members.length / ADDRESS);
        uint256 given = signatures.length / SIGNATURE;
        if (given < needed || signatures.length % SIGNATURE != 0) revert NotEnough(given, needed);
        uint256 spot = 0; // members before this place can't sign any more: so nobody signs twice
        for (uint256 place = 0; place < needed; ++place) {
            address signer = _signer(digest, signatures, place);
            while (_member(members, spot) != signer) {
                spot += ADDRESS;
                if (spot == members.length) revert BadSignature(place);
            }
            spot += ADDRESS;
            if (spot == members.length && place + 1 < needed) revert BadSignature(place + 1);
        }
    }

    /// @dev Who signed, never zero.
    function _signer(bytes32 digest, bytes calldata signatures, uint256 place) private pure returns (address signer) {
        uint256 spot = place * SIGNATURE;
        bytes32 r = bytes32(signatures[spot:spot + 32]);
        uint256 packed = uint256(bytes32(signatures[spot + 32:spot + 64]));
        uint256 s = packed & S_MASK;
        if (s > MAX_S) revert BadSignature(place);
        signer = ecrecover(digest, uint8(packed >> 255) + 27, r, bytes32(s));
        if (signer == address(0)) revert BadSignature(place);
    }

    function _member(bytes calldata members, uint256 spot) private pure returns (address) {
        return address(bytes20(members[spot:spot + ADDRESS]));
    }

    function _install(uint32 set, bytes memory members) private {
        uint256 n = members.length / ADDRESS;
        if (n == 0 || n > MOST || members.length % ADDRESS != 0) revert BadMembers();
        if (threshold(n) == 1 && !REGTEST) revert QuorumOfOne();
        address last = address(0);
        for (uint256 i = 0; i < n; ++i) {
            address member;
            assembly ("memory-safe") {
                member := shr(96, mload(add(add(members, 32), mul(i, 20))))
            }
            if (member <= last) revert BadMembers();
            last = member;
        }
        current = set;
        sets[set] = Set(keccak256(members), type(uint64).max);
    }
}
