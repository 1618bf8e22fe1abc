// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @title Quorum: sets of signers, and whether enough of one has signed
/// @notice Of n members of a set floor(2n/3) + 1 must sign: fewer than a third that lie, or are silent, change nothing.
/// The number follows from n and is stored nowhere. A set is stored as a hash of its members, who are shown with the
/// signatures. It is replaced by a rotation that a quorum of the set in force signs; the old one stays good for
/// the grace period, so that what was signed before is not lost. There is no owner.
///
///     members     addresses, 20 bytes each, strictly ascending
///     signatures  r . yParityAndS (EIP-2098), 64 bytes each, in the order of their signers
interface IQuorum {
    /// @notice A set is in force; `until` is when the one before it ceases to be.
    event Rotated(uint32 indexed set, bytes members, uint64 until);

    /// @notice A set has at least one member, at most 255, strictly ascending, none zero.
    error BadMembers();
    /// @notice One signer decides alone; only a deployment for tests takes that.
    error QuorumOfOne();
    /// @notice There is no such set, or it is not in force any more.
    error NotInForce(uint32 set);
    /// @notice These are not the members of the set.
    error NotTheMembers(uint32 set);
    /// @notice `given` signatures, of which `needed` must be there.
    error NotEnough(uint256 given, uint256 needed);
    /// @notice A signature is not by a member, is by one that comes too late in the order or twice, or is not in its one
    /// valid form.
    error BadSignature(uint256 place);

    /// @notice Revert unless a quorum of a set in force signed the digest.
    function verify(bytes32 digest, uint32 set, bytes calldata members, bytes calldata signatures) external view;

    /// @notice Replace the set in force, by `signatures` of a quorum of it (`members`) over `rotationDigest`.
    function rotate(bytes calldata next, bytes calldata members, bytes calldata signatures) external;

    /// @notice The set in force. Its successor's number is one more.
    function current() external view returns (uint32 set);

    /// @notice The hash of a set's members, and until when it is in force (UNIX seconds; the maximum: not replaced yet).
    function sets(uint32 set) external view returns (bytes32 members, uint64 until);

    /// @notice How many of n must sign.
    function threshold(uint256 n) external pure returns (uint256);

    /// @notice What is signed to replace the set in force by `next`: EIP-712 `Rotation(uint32 set,bytes members)` with the
    /// new set's number, in the domain "Strikelock Quorum", version "1", of this chain and this contract.
    function rotationDigest(uint32 set, bytes calldata next) external view returns (bytes32);
}
