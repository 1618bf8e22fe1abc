// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @title Vaults: money at addresses whose spending conditions are the contract
/// @notice A leg is a commitment (the "terms") to one or more paths. Its address is the CREATE2 address of a vault
/// with the terms as salt and a constant init code. Any payment to it, native coin or ERC-20, from any wallet,
/// funds it: nothing is deployed and nothing approved. To spend, anyone shows a path and its witness; the vault is
/// deployed, pays everything it holds to the path's recipient, and is gone in the same transaction (EIP-6780).
/// No contract holds a pool, there is no owner, and no recipient code runs when native coin is paid.
///
/// The terms are a hash chain over the paths, so that a spend shows nothing of the paths it does not take:
///
///     head  = keccak256(asset . amount . salt)                       what the leg is about; only feeds the address
///     leaf  = keccak256(chain id . path . hashes.. . signers..)      one per path; 32-byte words all
///     tail  = head for the last path, else the node of the next one
///     node  = keccak256(leaf . tail)                                 terms = node of the first path
///
/// A path is one word, from the low bits: 160 recipient, 64 "not before" (UNIX seconds, 0 = none), 8 number of
/// hashes (0..2), 8 number of signers, 16 index of the path in the terms. The chain id is the one at deployment, a
/// constant: a fork that changes its id must not make vaults unspendable. Signatures are bound to the id the chain has
/// when they are used.
///
/// A witness is a list of words: a preimage (always 32 bytes, SHA-256) for each hash; for each signer its address
/// and a compact signature r, yParityAndS (EIP-2098) of `Consent`; the leaves of the paths before this one; the
/// tail. Hashes are not given but computed: a wrong preimage, signer or leaf makes other terms, so another vault,
/// which is empty.
interface IVaults {
    /// @notice Value left a vault. One event in three lengths, for zero to two preimages, which stand in the order of the
    /// path's hashes. It is anonymous, which spares its readers nothing and its writers 375 gas: the vault is the only
    /// topic, and the factory writes no other event. Emitted only after the value moved. What a vault has got and
    /// given is a sum over deposits and these events: late and double deposits are spent by events of their own.
    /// @param vault the leg's address
    /// @param assetAndPath the token's address, zero for native coin, in the high 160 bits; the index of the path
    /// taken in the low 96
    /// @param amount what left the vault (a fee-on-transfer token delivers less)
    event Spent(address indexed vault, uint256 assetAndPath, uint256 amount) anonymous;
    event Spent(address indexed vault, uint256 assetAndPath, uint256 amount, bytes32 preimage) anonymous;
    event Spent(
        address indexed vault, uint256 assetAndPath, uint256 amount, bytes32 preimage0, bytes32 preimage1
    ) anonymous;

    /// @notice The vault that path and witness lead to holds nothing of this asset. With a wrong preimage, signer
    /// or leaf it is not the vault that was meant.
    error EmptyVault(address vault, address asset);
    /// @notice The path may be spent from `notBefore` on; the block's time is `time`.
    error TooEarly(uint256 notBefore, uint256 time);
    /// @notice The signature given for `signer` is not its consent to this path of these terms, or not in low-s form.
    error BadConsent(address signer, bytes32 terms, uint256 path);
    /// @notice Zero, a precompile, this factory or the token itself would lose the money.
    error BadRecipient(address to);
    /// @notice A path has at most two hashes.
    error TooManyHashes(uint256 hashes);
    /// @notice The path's witness is not of two words; `spend` takes it.
    error NotShort(uint256 path);
    /// @notice The path wants a witness of `needed` words.
    error WitnessLength(uint256 words, uint256 needed);
    /// @notice The vault was spent in this transaction already; what it holds now can be spent in the next.
    error AlreadySpent(address vault);
    /// @notice The recipient is a vault spent earlier in this transaction: coin sent there would be burned at its end.
    error RecipientSpent(address vault);
    /// @notice The token failed, returned false, or moved nothing.
    error TransferRefused(address vault, address asset);
    /// @notice The asset is not a contract that answers `balanceOf`.
    error NotAToken(address asset);
    /// @notice The transaction's gas does not cover the allowance of the next item of a batch.
    error GasBelowAllowance(uint256 gas, uint256 allowance);
    /// @notice No item of the batch could be spent.
    error NothingSpent();
    /// @notice Only a vault being spent may call without naming a function.
    error NoSuchFunction();

    /// @notice Pay everything of `asset` that stands at the vault to the path's recipient. Anyone may call it.
    /// @dev `asset` is an argument, the asset of the terms only feeds the address: a token sent to the vault of a
    /// native leg, or coin sent to the vault of a token leg, is spendable by the same paths. Coin that stands at the
    /// vault when a token is spent goes to the same recipient, with a `Spent` event of its own.
    function spend(address asset, uint256 path, bytes32[] calldata witness) external;

    /// @notice `spend` of native coin with a witness of two words, for less gas: the first path with one hash, or the
    /// second with none, and no signers.
    function spendCoin(uint256 path, bytes32 first, bytes32 second) external;

    /// @notice The same for a token.
    function spendErc20(address token, uint256 path, bytes32 first, bytes32 second) external;

    /// @notice Spend several vaults. Items that are empty, repeated or fail are skipped, each bounded by `allowance`
    /// gas, so that none can be front-run or break to the harm of the others; one asset a batch, so that no token
    /// can harm another's.
    /// @param items paths, each followed by the words of its witness
    /// @return spent how many items were spent, at least one
    function spendMany(address asset, uint256 allowance, uint256[] calldata items) external returns (uint256 spent);

    /// @notice The vault with these terms.
    function addressOf(bytes32 terms) external view returns (address);

    /// @notice The terms that a path and its witness belong to.
    function termsOf(uint256 path, bytes32[] calldata witness) external view returns (bytes32 terms);

    /// @notice What a path's signer signs: EIP-712 `Consent(bytes32 terms,uint256 path)` with the path's index, in the
    /// domain "Strikelock Vaults", version "1", of this chain and this contract. Good for every deposit, early or late.
    function consentDigest(bytes32 terms, uint256 index) external view returns (bytes32);

    /// @notice What each account holds of `asset` (zero: native coin), in one call.
    function balances(address[] calldata accounts, address asset) external view returns (uint256[] memory);
}
