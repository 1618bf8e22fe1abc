// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @title Bitcoin's headers, judged by Bitcoin's rules, and proofs of what its blocks hold
/// @notice Anyone brings headers, in batches; the chain with the most work is the best one, however long the others
/// are. Whoever has a transaction, its Merkle path and a few headers proves that it is so many blocks deep. There is no
/// owner: who deploys it chooses the anchor, and can change nothing afterwards.
///
/// Stored is one checkpoint a batch, not one a header: the batch's last header. A header between two checkpoints is shown
/// again by who needs it, linked by hash to a checkpoint after it. That makes a header in a batch of fifty cost a tenth
/// of one that is stored.
///
/// Hashes are in the order in which they are hashed (a txid on an explorer's page is the reverse). Headers are 80 bytes
/// each; transactions are without witnesses, in the form that is hashed to the txid.
interface IBitcoinLightClient {
    /// @param limitBits the highest target, in compact form
    /// @param maxWarp seconds that an epoch's first block may be older than the block before it (600 by BIP94, 7200 by
    /// BIP54); 0 where the network has no such rule
    /// @param fromFirst a retarget starts from the target of the epoch's first block, not its last (BIP94)
    /// @param minDifficulty a block more than twenty minutes after its parent has the highest target (testnets)
    /// @param noRetarget the target never changes (regtest)
    struct Network {
        uint32 limitBits;
        uint32 maxWarp;
        bool fromFirst;
        bool minDifficulty;
        bool noRetarget;
    }

    /// @notice The first checkpoint: what is trusted without proof.
    /// @param header 80 bytes; what is before it is known by its hash
    /// @param work of the chain up to and with it
    /// @param epochTime timestamp of the first block of its difficulty epoch
    /// @param epochBits compact target of that block
    struct Anchor {
        bytes header;
        uint32 height;
        uint128 work;
        uint32 epochTime;
        uint32 epochBits;
    }

    /// @notice The end of a batch. Two slots, three where its ordinal is even.
    /// @param previous the checkpoint before it, zero at the anchor
    /// @param ordinal checkpoints before it on its chain
    /// @param jump the checkpoint whose ordinal is this one's without its lowest bit, where that is not `previous`: so that
    /// any checkpoint of a year ago is some dozens of steps away
    struct Checkpoint {
        bytes32 previous;
        uint32 height;
        uint128 work;
        uint32 epochTime;
        uint32 epochBits;
        uint32 ordinal;
        bytes32 jump;
    }

    /// @notice That a transaction is in a block, and where that block stands.
    /// @param headers the block's, and those after it up to a checkpoint, which is the last
    /// @param index of the transaction in the block
    /// @param path siblings from the transaction to the Merkle root
    /// @param coinbase the block's first transaction
    /// @param coinbasePath its siblings, as many as the transaction has
    struct Inclusion {
        bytes headers;
        uint256 index;
        bytes32[] path;
        bytes coinbase;
        bytes32[] coinbasePath;
    }

    /// @notice Where a proved transaction stands.
    /// @param checkpoint on the best chain, the block's own or one after it
    /// @param confirmations 1 in the best chain's last known block
    struct Place {
        bytes32 txid;
        bytes32 blockHash;
        bytes32 checkpoint;
        uint32 height;
        uint32 confirmations;
    }

    /// @notice The best chain grew.
    event Extended(bytes32 indexed tip, uint32 height, uint128 work);
    /// @notice Another branch has more work now: what was proved of blocks on the old one may be so no more.
    event Reorganised(bytes32 indexed from, bytes32 indexed to, uint32 height, uint128 work);
    /// @notice A branch with less work, or as much, was stored.
    event Forked(bytes32 indexed end, uint32 height, uint128 work);

    /// @notice Blocks of this network can be made at will, so nothing proved of it is secure; it wants the flag.
    error InsecureNetwork();
    /// @notice The anchor's fields contradict its header or each other.
    error BadAnchor();
    /// @notice Not the only form of a target that is above zero and not negative.
    error BadBits(uint32 bits);
    /// @notice Whole headers, of which `known` are known already and at least one is new.
    error BadBatch(uint256 bytes_, uint256 known);
    /// @notice The last known header is no checkpoint.
    error UnknownParent(bytes32 hash);
    /// @notice The median time needs this many known headers.
    error BadContext(uint256 known, uint256 needed);
    /// @notice The header at this place of the batch does not follow from the one before it.
    error Unlinked(uint256 position);
    /// @notice The target is not the one that the rules ask for.
    error WrongTarget(uint256 height, uint32 bits, uint32 expected);
    /// @notice The hash is above the target.
    error InsufficientWork(uint256 height, bytes32 hash);
    /// @notice Not after the median of the eleven blocks before.
    error NotAfterMedian(uint256 height, uint256 time);
    /// @notice More than two hours ahead of this chain's clock. It may be brought again later.
    error TooFarAhead(uint256 height, uint256 time);
    /// @notice An epoch begins further back than the network allows (BIP94, BIP54).
    error TimeWarp(uint256 height, uint256 time);
    /// @notice More work than there can be.
    error WorkOverflow();

    /// @notice The last header shown is no checkpoint of the best chain.
    error NotOnBestChain(bytes32 hash);
    /// @notice Fewer confirmations than asked for.
    error TooShallow(uint256 confirmations, uint256 depth);
    /// @notice 64 bytes may be an inner node of a Merkle tree as well as a transaction (CVE-2017-12842).
    error SixtyFourBytes();
    /// @notice The block has no transaction with this index.
    error IndexOutOfRange(uint256 index);
    /// @notice The path does not lead to the block's Merkle root.
    error WrongPath(bytes32 txid);
    /// @notice The coinbase transaction shows another height of the Merkle tree.
    error DepthsDiffer(uint256 depth, uint256 coinbaseDepth);
    /// @notice Not a coinbase transaction.
    error NotACoinbase();
    /// @notice Not a transaction without witnesses: it errs at this byte.
    error BadTransaction(uint256 position);
    /// @notice The transaction has no output with this index.
    error NoSuchOutput(uint256 output, uint256 outputs);
    /// @notice The output pays another script.
    error WrongScript(bytes32 scriptHash);
    /// @notice The output pays too little.
    error TooLittle(uint256 paid, uint256 least);
    /// @notice No input of the transaction spends the outpoint.
    error NotSpent(bytes32 txid, uint256 output);

    // --- headers

    /// @notice Store a run of headers: first the `known` ones that end in a checkpoint (eleven, fewer only where the chain
    /// begins), for their timestamps, then the new ones. A batch whose end is known already changes nothing.
    /// @return end hash of the last header, a checkpoint now
    function submit(uint256 known, bytes calldata headers) external returns (bytes32 end);

    /// @notice The last header of the chain with the most work.
    function tip() external view returns (bytes32);

    /// @notice All zero where the hash is no checkpoint.
    function checkpoint(bytes32 hash) external view returns (Checkpoint memory);

    /// @notice The last checkpoints of the best chain, latest first: where a relayer finds the block it has in common.
    function latest(uint256 count) external view returns (bytes32[] memory);

    /// @notice Confirmations of a block at `height` below or at a checkpoint: 0 if that is not on the best chain now.
    function confirmations(bytes32 hash, uint256 height) external view returns (uint256);

    function network() external view returns (Network memory);

    /// @notice Blocks can be made at will (regtest, testnets): what is proved here is no evidence of anything.
    function insecure() external view returns (bool);

    // --- proofs; all revert if what they say is not so

    /// @notice The transaction is at least `depth` deep on the best chain.
    function proveTransaction(bytes calldata transaction, Inclusion calldata proof, uint256 depth)
        external
        view
        returns (Place memory);

    /// @notice Besides, its output pays exactly this script, at least `least` satoshi.
    /// @return paid satoshi
    function proveOutput(
        bytes calldata transaction,
        uint256 output,
        bytes calldata script,
        uint256 least,
        Inclusion calldata proof,
        uint256 depth
    ) external view returns (Place memory, uint256 paid);

    /// @notice Besides, one of its inputs spends this outpoint.
    function proveSpend(
        bytes calldata transaction,
        bytes32 txid,
        uint256 output,
        Inclusion calldata proof,
        uint256 depth
    ) external view returns (Place memory);
}
