// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IVaults} from "./IVaults.sol";
import {VAULT_CODE, VAULT_CODE_HASH} from "./VaultCode.sol";

/// @title Factory and book of all vaults of a chain; see IVaults
/// @dev Transient storage (EIP-1153), by vault address: what its code is to do when it asks, and that it was spent
/// in this transaction. An address has 160 bits; the bits above tell the slots of one vault apart.
contract Vaults is IVaults {
    bytes32 private constant DOMAIN_TYPE =
        keccak256("EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)");
    bytes32 private constant NAME = keccak256("Strikelock Vaults");
    bytes32 private constant VERSION = keccak256("1");
    bytes32 private constant CONSENT_TYPE = keccak256("Consent(bytes32 terms,uint256 path)");
    /// @dev Half the order of secp256k1: of the two valid forms of a signature only the lower is taken (EIP-2).
    uint256 private constant MAX_S = 0x7fffffffffffffffffffffffffffffff5d576e7357a4501ddfe92f46681b20a0;

    bytes4 private constant SPEND = bytes4(keccak256("spend(address,uint256,bytes32[])"));

    uint256 private constant MAX_HASHES = 2;
    uint256 private constant SIGNER_WORDS = 3; // signer, r, yParityAndS
    /// @dev Addresses up to here are precompiles, today's (to 0x11, and 0x100) and tomorrow's.
    uint256 private constant LAST_PRECOMPILE = 0xffff;

    uint256 private constant TO_BITS = 160;
    uint256 private constant AFTER_BITS = 64;

    /// @dev Slots of a vault: the address alone holds the recipient, and IS_TOKEN where a token is paid.
    uint256 private constant IS_TOKEN = 1 << 160;
    uint256 private constant AMOUNT = 1 << 160;
    uint256 private constant TOKEN = 2 << 160;
    uint256 private constant SWEPT = 3 << 160;

    uint256 private immutable CHAIN_ID = block.chainid;

    // --- what a vault asks ---------------------------------------------------------------------------------

    /// @dev A vault's code asks with no data and gets its orders; with one word it says how much coin goes along with a
    /// token. Anyone else has no recipient here and is refused.
    fallback() external {
        assembly ("memory-safe") {
            let to := tload(caller())
            if iszero(to) {
                mstore(0, 0xc1f71a70) // NoSuchFunction()
                revert(0x1c, 4)
            }
            if calldatasize() {
                tstore(or(caller(), SWEPT), calldataload(0))
                return(0, 0)
            }
            mstore(0, to)
            if iszero(shr(TO_BITS, to)) { return(0, 0x20) }
            mstore(0, and(to, sub(IS_TOKEN, 1)))
            mstore(0x20, tload(or(caller(), AMOUNT)))
            mstore(0x40, tload(or(caller(), TOKEN)))
            return(0, 0x60)
        }
    }

    // --- spending ------------------------------------------------------------------------------------------

    /// @inheritdoc IVaults
    function spend(address asset, uint256 path, bytes32[] calldata witness) external {
        _spend(asset, path, witness);
    }

    /// @inheritdoc IVaults
    function spend(address asset, uint256 path, bytes32, bytes32) external {
        bytes32[] calldata witness;
        assembly ("memory-safe") {
            witness.offset := 0x44
            witness.length := 2
        }
        _spend(asset, path, witness);
    }

    /// @inheritdoc IVaults
    function spendMany(address asset, uint256 allowance, Item[] calldata items) external returns (uint256 spent) {
        for (uint256 i = 0; i < items.length; ++i) {
            bytes memory data = abi.encodeWithSelector(SPEND, asset, items[i].path, items[i].witness);
            // A call gets at most 63/64 of what is left (EIP-150). Skipping an item for want of gas would let a
            // gas estimate pass that spends nothing.
            if ((gasleft() * 63) / 64 < allowance + 200) revert GasBelowAllowance(gasleft(), allowance);
            assembly ("memory-safe") {
                spent := add(spent, call(allowance, address(), 0, add(data, 0x20), mload(data), 0, 0))
            }
        }
        if (spent == 0) revert NothingSpent();
    }

    // --- views ---------------------------------------------------------------------------------------------

    /// @inheritdoc IVaults
    function vaultOf(bytes32 terms) external view returns (address) {
        return _vault(terms);
    }

    /// @inheritdoc IVaults
    function termsOf(uint256 path, bytes32[] calldata witness) external view returns (bytes32 terms, uint256 index) {
        return _terms(path, witness);
    }

    /// @inheritdoc IVaults
    function consentDigest(bytes32 terms, uint256 path) external view returns (bytes32) {
        return _consentDigest(terms, path);
    }

    /// @inheritdoc IVaults
    function balances(address[] calldata accounts, address asset) external view returns (uint256[] memory amounts) {
        amounts = new uint256[](accounts.length);
        for (uint256 i = 0; i < accounts.length; ++i) {
            amounts[i] = asset == address(0) ? accounts[i].balance : _tokenBalance(asset, accounts[i]);
        }
    }

    // --- how a spend goes ------------------------------------------------------------------------------------

    function _spend(address asset, uint256 path, bytes32[] calldata witness) private {
        (bytes32 terms, uint256 index) = _terms(path, witness);
        address to = address(uint160(path));
        _checkPath(asset, to, path);
        if (path >> 232 != 0) _checkConsents(terms, index, path, witness);
        address vault = _vault(terms);
        _checkUnspent(vault, to);
        uint256 amount = asset == address(0) ? _payCoin(vault, to, terms) : _payToken(vault, to, terms, asset);
        uint256 hashes = (path >> 224) & 0xff;
        _emitSpent(vault, asset, index, amount, witness, hashes);
        if (asset != address(0)) {
            uint256 swept;
            assembly ("memory-safe") {
                swept := tload(or(vault, SWEPT))
            }
            if (swept != 0) _emitSpent(vault, address(0), index, swept, witness, hashes);
        }
    }

    /// @dev Hash what is shown up to the terms (IVaults has the layout).
    function _terms(uint256 path, bytes32[] calldata witness) private view returns (bytes32 terms, uint256 index) {
        uint256 hashes = (path >> 224) & 0xff;
        uint256 signers = path >> 232;
        if (hashes > MAX_HASHES) revert TooManyHashes(hashes);
        uint256 used = hashes + SIGNER_WORDS * signers;
        if (witness.length <= used) revert WitnessTooShort(witness.length, used + 1);
        uint256 chainId = CHAIN_ID;
        assembly ("memory-safe") {
            // leaf
            let leaf := mload(0x40)
            mstore(leaf, chainId)
            mstore(add(leaf, 0x20), path)
            let end := add(leaf, 0x40)
            let word := witness.offset
            for { let until := add(word, shl(5, hashes)) } lt(word, until) { word := add(word, 0x20) } {
                mstore(0, calldataload(word))
                // A precompile call fails only for want of gas; going on would take what stood in memory for the hash.
                if iszero(staticcall(gas(), 2, 0, 0x20, end, 0x20)) { revert(0, 0) }
                end := add(end, 0x20)
            }
            for { let until := add(word, mul(0x60, signers)) } lt(word, until) { word := add(word, 0x60) } {
                mstore(end, calldataload(word))
                end := add(end, 0x20)
            }
            mstore(0, keccak256(leaf, sub(end, leaf)))
            // chain: from the tail, the last word, back over the leaves before it
            let last := add(witness.offset, shl(5, sub(witness.length, 1)))
            index := shr(5, sub(last, word))
            mstore(0x20, calldataload(last))
            terms := keccak256(0, 0x40)
            for {} lt(word, last) {} {
                last := sub(last, 0x20)
                mstore(0, calldataload(last))
                mstore(0x20, terms)
                terms := keccak256(0, 0x40)
            }
        }
    }

    function _checkPath(address asset, address to, uint256 path) private view {
        if (uint160(to) <= LAST_PRECOMPILE || to == address(this) || to == asset) revert BadRecipient(to);
        uint256 notBefore = uint64(path >> TO_BITS);
        if (block.timestamp < notBefore) revert TooEarly(notBefore, block.timestamp);
    }

    function _checkConsents(bytes32 terms, uint256 index, uint256 path, bytes32[] calldata witness) private view {
        bytes32 digest = _consentDigest(terms, index);
        uint256 first = (path >> 224) & 0xff;
        uint256 end = first + SIGNER_WORDS * (path >> 232);
        for (uint256 i = first; i < end; i += SIGNER_WORDS) {
            address signer = address(uint160(uint256(witness[i])));
            uint256 vs = uint256(witness[i + 2]);
            bytes32 s = bytes32(vs & ~uint256(1 << 255));
            address recovered = ecrecover(digest, uint8(27 + (vs >> 255)), witness[i + 1], s);
            // ecrecover answers zero for what is no signature, so zero can never be a signer
            if (recovered == address(0) || recovered != signer || uint256(s) > MAX_S) {
                revert BadConsent(signer, terms, index);
            }
        }
    }

    function _consentDigest(bytes32 terms, uint256 index) private view returns (bytes32) {
        bytes32 domain = keccak256(abi.encode(DOMAIN_TYPE, NAME, VERSION, block.chainid, address(this)));
        return keccak256(abi.encodePacked(hex"1901", domain, keccak256(abi.encode(CONSENT_TYPE, terms, index))));
    }

    /// @dev CREATE2 (EIP-1014): the low 160 bits of keccak256(0xff . this . terms . keccak256(code)).
    function _vault(bytes32 terms) private view returns (address vault) {
        bytes32 codeHash = VAULT_CODE_HASH;
        assembly ("memory-safe") {
            let data := mload(0x40)
            mstore(data, or(shl(160, 0xff), address()))
            mstore(add(data, 0x20), terms)
            mstore(add(data, 0x40), codeHash)
            vault := and(keccak256(add(data, 0x0b), 0x55), sub(IS_TOKEN, 1))
        }
    }

    /// @dev A vault stays destroyed until the transaction ends: deploying it again would burn nearly all gas, and coin
    /// sent to it would be burned.
    function _checkUnspent(address vault, address to) private view {
        uint256 before;
        uint256 target;
        assembly ("memory-safe") {
            before := tload(vault)
            target := tload(to)
        }
        if (before != 0) revert AlreadySpent(vault);
        if (target != 0) revert RecipientSpent(to);
    }

    /// @dev No code but the vault's runs between the two readings, so their difference is what the vault paid.
    function _payCoin(address vault, address to, bytes32 terms) private returns (uint256 amount) {
        uint256 before = to.balance;
        assembly ("memory-safe") {
            tstore(vault, to)
        }
        if (!_deploy(terms)) revert TransferRefused(vault, address(0));
        amount = to.balance - before;
        if (amount == 0) revert EmptyVault(vault, address(0));
    }

    /// @dev What left is what counts: some tokens round, so that a few units stay behind; those can be spent later.
    function _payToken(address vault, address to, bytes32 terms, address asset) private returns (uint256 amount) {
        amount = _tokenBalance(asset, vault);
        if (amount == 0) revert EmptyVault(vault, asset);
        assembly ("memory-safe") {
            tstore(vault, or(to, IS_TOKEN))
            tstore(or(vault, AMOUNT), amount)
            tstore(or(vault, TOKEN), asset)
        }
        if (!_deploy(terms)) revert TransferRefused(vault, asset);
        uint256 left = _tokenBalance(asset, vault);
        if (left >= amount) revert TransferRefused(vault, asset);
        amount -= left;
    }

    function _deploy(bytes32 terms) private returns (bool done) {
        bytes memory code = VAULT_CODE;
        assembly ("memory-safe") {
            done := iszero(iszero(create2(0, add(code, 0x20), mload(code), terms)))
        }
    }

    function _tokenBalance(address asset, address account) private view returns (uint256 amount) {
        bool ok;
        assembly ("memory-safe") {
            mstore(0, 0x70a08231) // balanceOf(address)
            mstore(0x20, account)
            ok := staticcall(gas(), asset, 0x1c, 0x24, 0, 0x20)
            ok := and(ok, gt(returndatasize(), 0x1f))
            amount := mload(0)
        }
        if (!ok) revert NotAToken(asset);
    }

    function _emitSpent(
        address vault,
        address asset,
        uint256 index,
        uint256 amount,
        bytes32[] calldata witness,
        uint256 hashes
    ) private {
        uint256 what = (uint256(uint160(asset)) << 96) | index;
        if (hashes == 0) emit Spent(vault, what, amount);
        else if (hashes == 1) emit Spent(vault, what, amount, witness[0]);
        else emit Spent(vault, what, amount, witness[0], witness[1]);
    }
}
