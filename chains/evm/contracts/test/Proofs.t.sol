// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IBitcoinLightClient} from "../src/IBitcoinLightClient.sol";
import {ICollateralRegistry} from "../src/ICollateralRegistry.sol";
import {BitcoinKit} from "./BitcoinKit.sol";

/// @notice Transactions in blocks: what is proved, and each way to prove what is not so.
contract ProofsTest is BitcoinKit {
    uint256 private constant HEIGHT = 100_001;
    bytes32 private constant PROGRAM = "the witness program of a leg";
    uint256 private constant AMOUNT = 1_234_567;

    bytes[] private transactions; // of the block being made

    function setUp() public {
        begin(easy(), HEIGHT, EASY, START - 1000);
    }

    // --- what is proved

    /// @dev Any transaction of a block of any size, in the tip or below it, next to a checkpoint or further from it.
    function testFuzz_a_transaction_of_a_block_is_proved(uint256 seed, uint256 size, uint256 later) external {
        size = 1 + size % 20;
        later %= 4;
        uint256 index = seed % size;
        block_(size, seed);
        IBitcoinLightClient.Inclusion memory proof = inclusion(index, later);
        IBitcoinLightClient.Place memory place = client.proveTransaction(transactions[index], proof, 1 + later);
        require(place.txid == hashOf(transactions[index]), "txid");
        require(place.blockHash == hashOf(chain[11]), "block");
        require(place.checkpoint == hashOf(chain[11 + later]), "checkpoint");
        eq(place.height, HEIGHT + 1, "height");
        eq(place.confirmations, 1 + later, "confirmations");
        VM.expectRevert(abi.encodeWithSelector(IBitcoinLightClient.TooShallow.selector, 1 + later, 2 + later));
        client.proveTransaction(transactions[index], proof, 2 + later);
    }

    function test_an_output_is_proved_with_script_and_amount() external {
        block_(5, 1);
        IBitcoinLightClient.Inclusion memory proof = inclusion(3, 0);
        (, uint256 paid) = client.proveOutput(transactions[3], 1, script(PROGRAM), AMOUNT, proof, 1);
        eq(paid, AMOUNT, "paid");
        VM.expectRevert(abi.encodeWithSelector(IBitcoinLightClient.TooLittle.selector, AMOUNT, AMOUNT + 1));
        client.proveOutput(transactions[3], 1, script(PROGRAM), AMOUNT + 1, proof, 1);
        VM.expectRevert(abi.encodeWithSelector(IBitcoinLightClient.WrongScript.selector, keccak256(script(PROGRAM))));
        client.proveOutput(transactions[3], 1, script("another"), AMOUNT, proof, 1);
        VM.expectRevert(abi.encodeWithSelector(IBitcoinLightClient.NoSuchOutput.selector, 3, 3));
        client.proveOutput(transactions[3], 3, script(PROGRAM), AMOUNT, proof, 1);
    }

    /// @dev The script as part of a longer one is another script.
    function test_a_script_is_compared_as_a_whole() external {
        bytes memory longer = bytes.concat(script(PROGRAM), hex"51");
        VM.expectRevert(abi.encodeWithSelector(IBitcoinLightClient.WrongScript.selector, keccak256(longer)));
        this.output(paying(1, longer), 1, script(PROGRAM));
        this.output(paying(1, ""), 1, "");
    }

    function test_a_spend_is_proved() external {
        block_(4, 7);
        IBitcoinLightClient.Inclusion memory proof = inclusion(2, 0);
        client.proveSpend(transactions[2], spentBy(2, 7), 5, proof, 1);
        bytes4 why = IBitcoinLightClient.NotSpent.selector;
        VM.expectRevert(abi.encodeWithSelector(why, spentBy(2, 7), 6));
        client.proveSpend(transactions[2], spentBy(2, 7), 6, proof, 1);
        VM.expectRevert(abi.encodeWithSelector(why, bytes32(uint256(1)), 5));
        client.proveSpend(transactions[2], bytes32(uint256(1)), 5, proof, 1);
        VM.expectRevert(abi.encodeWithSelector(why, spentBy(2, 7), 2 ** 32 + 5));
        client.proveSpend(transactions[2], spentBy(2, 7), 2 ** 32 + 5, proof, 1);
    }

    /// @dev A block below the anchor is known by its hash.
    function test_a_block_before_the_anchor_is_shown_by_the_headers_up_to_it() external {
        fill(3, 1);
        delete chain;
        chain.push(mine("before", START, EASY, root()));
        for (uint256 i = 0; i < 10; ++i) {
            growMany(1);
        }
        client = deploy(easy(), anchor(chain[10], HEIGHT, START, EASY), true);
        IBitcoinLightClient.Inclusion memory proof = proofOf(1);
        proof.headers = join(0, 11);
        eq(client.proveTransaction(transactions[1], proof, 11).height, HEIGHT - 10, "height");
    }

    // --- where it stands

    function test_a_block_that_was_reorganised_away_proves_nothing() external {
        block_(4, 7);
        IBitcoinLightClient.Inclusion memory proof = inclusion(2, 0);
        client.proveTransaction(transactions[2], proof, 1);
        bytes memory header = chain[11];
        chain.pop();
        growMany(2);
        submit(11);
        bytes4 why = IBitcoinLightClient.NotOnBestChain.selector;
        VM.expectRevert(abi.encodeWithSelector(why, hashOf(header)));
        client.proveTransaction(transactions[2], proof, 1);
    }

    /// @dev Headers that lead nowhere: unknown, unlinked, cut, none, more than there can be.
    function test_headers_lead_to_a_checkpoint_of_the_best_chain() external {
        block_(4, 7);
        growMany(2);
        IBitcoinLightClient.Inclusion memory proof = proofOf(2);
        proof.headers = join(11, 13);
        VM.expectRevert(abi.encodeWithSelector(IBitcoinLightClient.NotOnBestChain.selector, hashOf(chain[12])));
        client.proveTransaction(transactions[2], proof, 1);
        submit(12);
        proof.headers = bytes.concat(chain[11], chain[13]);
        VM.expectRevert(abi.encodeWithSelector(IBitcoinLightClient.Unlinked.selector, 1));
        client.proveTransaction(transactions[2], proof, 1);
        for (uint256 i = 0; i < 2; ++i) {
            proof.headers = i == 0 ? slice(join(11, 14), 0, 239) : bytes("");
            VM.expectRevert(abi.encodeWithSelector(IBitcoinLightClient.BadBatch.selector, proof.headers.length, 0));
            client.proveTransaction(transactions[2], proof, 1);
        }
        proof.headers = join(11, 14);
        client.proveTransaction(transactions[2], proof, 3);
    }

    // --- Merkle trees

    /// @dev 64 bytes that are the two nodes below an inner one: "a transaction" that was never made.
    function test_an_inner_node_is_no_transaction() external {
        block_(4, 7);
        IBitcoinLightClient.Inclusion memory proof = inclusion(2, 0);
        bytes memory node = abi.encodePacked(hashOf(transactions[2]), hashOf(transactions[3]));
        proof.index = 1;
        bytes32[] memory path = new bytes32[](1);
        path[0] = proof.path[1];
        proof.path = path;
        VM.expectRevert(IBitcoinLightClient.SixtyFourBytes.selector);
        client.proveTransaction(node, proof, 1);
    }

    /// @dev A transaction of 64 bytes is mined whose halves are read as the hashes of two others, which never were.
    function test_what_stands_below_a_transaction_of_64_bytes_is_none() external {
        fill(4, 7);
        bytes memory ghost = paying(9, script(PROGRAM));
        transactions[2] = abi.encodePacked(hashOf(ghost), bytes32("the rest of a transaction"));
        mineBlock();
        IBitcoinLightClient.Inclusion memory proof = proofOf(2);
        proof.headers = chain[11];
        bytes32[] memory path = new bytes32[](3);
        (path[0], path[1], path[2]) = (bytes32("the rest of a transaction"), proof.path[0], proof.path[1]);
        (proof.path, proof.index) = (path, 4);
        VM.expectRevert(abi.encodeWithSelector(IBitcoinLightClient.DepthsDiffer.selector, 3, 2));
        client.proveTransaction(ghost, proof, 1);
        // a coinbase of the same depth does not help: there is none below the true one
        proof.coinbasePath = path;
        VM.expectRevert(abi.encodeWithSelector(IBitcoinLightClient.WrongPath.selector, hashOf(proof.coinbase)));
        client.proveTransaction(ghost, proof, 1);
    }

    function test_a_transaction_of_64_bytes_is_refused_though_it_is_one() external {
        fill(4, 7);
        transactions[1] = slice(bytes.concat(paying(1, script(PROGRAM)), paying(1, "")), 0, 64);
        mineBlock();
        IBitcoinLightClient.Inclusion memory proof = proofOf(1);
        proof.headers = chain[11];
        VM.expectRevert(IBitcoinLightClient.SixtyFourBytes.selector);
        client.proveTransaction(transactions[1], proof, 1);
    }

    function test_the_coinbase_is_the_blocks_first_transaction() external {
        block_(6, 7);
        IBitcoinLightClient.Inclusion memory proof = inclusion(2, 0);
        bytes memory right = proof.coinbase;
        proof.coinbase = transactions[1];
        VM.expectRevert(IBitcoinLightClient.NotACoinbase.selector);
        client.proveTransaction(transactions[2], proof, 1);
        proof.coinbase = slice(right, 0, 40);
        VM.expectRevert(IBitcoinLightClient.NotACoinbase.selector);
        client.proveTransaction(transactions[2], proof, 1);
        proof.coinbase = bytes.concat(right);
        proof.coinbase[38] = 0; // it spends an output of "transaction zero" other than the last
        VM.expectRevert(IBitcoinLightClient.NotACoinbase.selector);
        client.proveTransaction(transactions[2], proof, 1);
        proof.coinbase = abi.encodePacked(hashOf(transactions[0]), hashOf(transactions[1]));
        VM.expectRevert(IBitcoinLightClient.SixtyFourBytes.selector);
        client.proveTransaction(transactions[2], proof, 1);
        proof.coinbase = bytes.concat(right, hex"00");
        VM.expectRevert(abi.encodeWithSelector(IBitcoinLightClient.WrongPath.selector, hashOf(proof.coinbase)));
        client.proveTransaction(transactions[2], proof, 1);
        proof.coinbase = right;
        proof.coinbasePath = proof.path;
        VM.expectRevert(abi.encodeWithSelector(IBitcoinLightClient.WrongPath.selector, hashOf(right)));
        client.proveTransaction(transactions[2], proof, 1);
        proof.coinbasePath = new bytes32[](2);
        VM.expectRevert(abi.encodeWithSelector(IBitcoinLightClient.DepthsDiffer.selector, 3, 2));
        client.proveTransaction(transactions[2], proof, 1);
    }

    /// @dev The index says left or right at each level, and nothing beyond.
    function testFuzz_an_index_has_one_value(uint256 other) external {
        block_(6, 7);
        IBitcoinLightClient.Inclusion memory proof = inclusion(2, 0);
        if (other == 2) other = 3;
        proof.index = other;
        if (other >= 8) VM.expectRevert(abi.encodeWithSelector(IBitcoinLightClient.IndexOutOfRange.selector, other));
        else VM.expectRevert(abi.encodeWithSelector(IBitcoinLightClient.WrongPath.selector, hashOf(transactions[2])));
        client.proveTransaction(transactions[2], proof, 1);
    }

    function test_a_path_longer_than_any_blocks_is_refused() external {
        block_(2, 7);
        IBitcoinLightClient.Inclusion memory proof = inclusion(1, 0);
        proof.path = new bytes32[](257);
        VM.expectRevert(abi.encodeWithSelector(IBitcoinLightClient.IndexOutOfRange.selector, 1));
        client.proveTransaction(transactions[1], proof, 1);
    }

    /// @dev One bit of anything that is shown changed, and nothing is proved.
    function testFuzz_no_changed_proof_passes(uint256 place, uint8 bit) external {
        block_(5, 7);
        IBitcoinLightClient.Inclusion memory proof = inclusion(3, 2);
        bytes memory transaction = bytes.concat(transactions[3]);
        bytes1 flip = bytes1(uint8(1 << (bit % 8)));
        uint256 kind = place % 5;
        place /= 5;
        if (kind == 0) transaction[place % transaction.length] ^= flip;
        else if (kind == 1) proof.headers[place % proof.headers.length] ^= flip;
        else if (kind == 2) proof.path[place % 3] ^= bytes32(uint256(1) << bit);
        else if (kind == 3) proof.coinbase[place % proof.coinbase.length] ^= flip;
        else proof.coinbasePath[place % 3] ^= bytes32(uint256(1) << bit);
        try client.proveTransaction(transaction, proof, 1) {
            revert("a changed proof passed");
        } catch {}
    }

    // --- reading transactions

    /// forge-config: ci.fuzz.runs = 1000
    function testFuzz_outputs_are_read_right(uint256 seed, uint256 inputs, uint256 outputs, uint256 wanted) external {
        (inputs, outputs) = (1 + inputs % 4, 1 + outputs % 300); // counts of one byte and of three
        wanted %= outputs;
        bytes memory found = script_(seed, wanted);
        bytes memory transaction = random(seed, inputs, outputs);
        eq(this.output(transaction, wanted, found), amountOf(seed, wanted), "amount");
        VM.expectRevert(abi.encodeWithSelector(IBitcoinLightClient.NoSuchOutput.selector, outputs, outputs));
        this.output(transaction, outputs, found);
    }

    /// @dev Cut anywhere, or with anything behind it, it is no transaction.
    function testFuzz_a_cut_or_overlong_transaction_is_refused(uint256 seed, uint256 length) external {
        bytes memory transaction = random(seed, 1 + seed % 3, 1 + seed % 5);
        length %= transaction.length + 40;
        bytes memory bad = length < transaction.length
            ? slice(transaction, 0, length)
            : bytes.concat(transaction, new bytes(1 + length - transaction.length));
        if (bad.length == 64) return;
        try this.output(bad, 0, script_(seed, 0)) {
            revert("read");
        } catch (bytes memory why) {
            require(bytes4(why) == IBitcoinLightClient.BadTransaction.selector, "why");
        }
        try this.spending(bad, seed) {
            revert("read");
        } catch (bytes memory why) {
            require(bytes4(why) == IBitcoinLightClient.BadTransaction.selector, "why");
        }
    }

    /// @dev Lengths of up to 2^64 - 1, and counts that no transaction has room for.
    function test_absurd_lengths_are_refused() external {
        bytes memory head = abi.encodePacked(le(2), hex"01", bytes32("x"), le(5));
        bytes[6] memory bad = [
            bytes.concat(head, hex"ffffffffffffffffff", le(0), hex"00"),
            bytes.concat(head, hex"feffffffff", le(0)),
            bytes.concat(head, hex"00", le(0), hex"ffffffffffffffffff", new bytes(100)),
            bytes.concat(head, hex"00", le(0), hex"01", bytes8(0), hex"ffffffffffffffffff", new bytes(100)),
            bytes.concat(le(2), hex"ffffffffffffffffff", new bytes(100)),
            bytes.concat(head, hex"fd0000", le(0), hex"01", bytes8(0), hex"00", le(0)) // a zero in three bytes
        ];
        for (uint256 i = 0; i < bad.length; ++i) {
            try this.output(bad[i], 0, "") {
                revert("read");
            } catch (bytes memory why) {
                require(bytes4(why) == IBitcoinLightClient.BadTransaction.selector, "why");
            }
        }
    }

    function test_a_transaction_without_outputs_is_refused() external {
        bytes memory raw =
            abi.encodePacked(le(2), hex"01", bytes32(uint256(9)), le(0), hex"0151", le(0), hex"00", le(0));
        bytes memory why = abi.encodeWithSelector(IBitcoinLightClient.BadTransaction.selector, 48);
        VM.expectRevert(why);
        this.spending(raw, 9);
        VM.expectRevert(abi.encodeWithSelector(IBitcoinLightClient.NoSuchOutput.selector, 0, 0));
        this.output(raw, 0, "");
    }

    /// @dev The form with witnesses is not what is hashed; read as the other form, its inputs would be shifted.
    function test_the_form_with_witnesses_is_refused() external {
        bytes memory plain = paying(1, script(PROGRAM));
        bytes memory witnessed =
            bytes.concat(slice(plain, 0, 4), hex"0001", slice(plain, 4, plain.length - 8), hex"0101ff", le(0));
        VM.expectRevert(abi.encodeWithSelector(IBitcoinLightClient.BadTransaction.selector, 5));
        this.output(witnessed, 1, script(PROGRAM));
    }

    // --- the registry

    function test_a_registry_counts_confirmations_and_hears_of_spends() external {
        VM.expectRevert(ICollateralRegistry.ZeroDepth.selector);
        this.registry(0);
        ICollateralRegistry book = this.registry(2);
        require(book.lightClient() == client && book.depth() == 2, "pinned");
        block_(4, 7);
        IBitcoinLightClient.Inclusion memory proof = inclusion(2, 0);
        VM.expectRevert(abi.encodeWithSelector(IBitcoinLightClient.TooShallow.selector, 1, 2));
        book.register(PROGRAM, AMOUNT, transactions[2], 1, proof);
        growMany(1);
        submit(12);
        bytes32 txid = book.register(PROGRAM, AMOUNT, transactions[2], 1, proof);
        require(book.stands(txid, 1), "stands");
        VM.expectRevert(abi.encodeWithSelector(ICollateralRegistry.AlreadyRegistered.selector, txid, 1));
        book.register(PROGRAM, AMOUNT, transactions[2], 1, proof);
        VM.expectRevert(abi.encodeWithSelector(ICollateralRegistry.NotRegistered.selector, txid, 0));
        book.stands(txid, 0);
        VM.expectRevert(abi.encodeWithSelector(ICollateralRegistry.NotRegistered.selector, txid, 0));
        book.registerSpend(txid, 0, transactions[3], proof);
        // a spend, by the registry's own transaction of the next block
        transactions[1] = spendingAt(txid, 1);
        mineBlock();
        IBitcoinLightClient.Inclusion memory spend = proofOf(1);
        spend.headers = chain[13];
        book.registerSpend(txid, 1, transactions[1], spend);
        (uint256 funding, uint256 spent) = book.confirmations(txid, 1);
        eq(funding, 3, "funding");
        eq(spent, 1, "spend");
        require(!book.stands(txid, 1), "spent");
        VM.expectRevert(abi.encodeWithSelector(ICollateralRegistry.AlreadyRegistered.selector, txid, 1));
        book.registerSpend(txid, 1, transactions[1], spend);
        // by a later checkpoint the same is put on record anew, and nothing else changes
        fill(4, 7);
        proof.headers = join(11, 13);
        book.register(PROGRAM, 1, transactions[2], 1, proof);
        ICollateralRegistry.Collateral memory found = book.collateral(txid, 1);
        eq(found.amount, AMOUNT, "amount");
        eq(found.height, HEIGHT + 1, "height");
        require(found.program == PROGRAM && found.checkpoint == hashOf(chain[12]), "record");
    }

    // --- called from outside, for a revert to be caught

    function registry(uint256 depth) external returns (ICollateralRegistry) {
        bytes memory code = VM.getCode("CollateralRegistry.sol:CollateralRegistry");
        return ICollateralRegistry(created(abi.encodePacked(code, abi.encode(client, depth))));
    }

    /// @dev What the client reads of this transaction, in a block of its own.
    function output(bytes memory transaction, uint256 wanted, bytes memory expected) external returns (uint256 paid) {
        IBitcoinLightClient.Inclusion memory proof = alone(transaction);
        (, paid) = client.proveOutput(transaction, wanted, expected, 0, proof, 1);
    }

    function spending(bytes memory transaction, uint256 seed) external {
        IBitcoinLightClient.Inclusion memory proof = alone(transaction);
        client.proveSpend(transaction, bytes32(seed), 0, proof, 1);
    }

    // --- making blocks

    function alone(bytes memory transaction) private returns (IBitcoinLightClient.Inclusion memory) {
        fill(1, 1);
        transactions.push(transaction);
        mineBlock();
        IBitcoinLightClient.Inclusion memory proof = proofOf(1);
        proof.headers = chain[chain.length - 1];
        return proof;
    }

    function block_(uint256 size, uint256 seed) private {
        fill(size, seed);
        mineBlock();
    }

    function fill(uint256 size, uint256 seed) private {
        delete transactions;
        transactions.push(
            bytes.concat(
                le(2),
                hex"01",
                new bytes(32),
                hex"ffffffff06",
                hex"510051510051",
                hex"ffffffff01",
                bytes8(0),
                hex"0151",
                le(0)
            )
        );
        for (uint256 i = 1; i < size; ++i) {
            transactions.push(spendingTo(spentBy(i, seed), script(PROGRAM)));
        }
    }

    function mineBlock() private {
        bytes memory last = chain[chain.length - 1];
        chain.push(mine(hashOf(last), timeOf(last) + SPACING, EASY, root()));
        submit(chain.length - 1);
    }

    /// @dev The proof of a transaction of the block at place 11, after so many blocks more.
    function inclusion(uint256 index, uint256 later) private returns (IBitcoinLightClient.Inclusion memory proof) {
        growMany(later);
        if (later > 0) submit(12);
        proof = proofOf(index);
        proof.headers = join(11, 12 + later);
    }

    function proofOf(uint256 index) private view returns (IBitcoinLightClient.Inclusion memory proof) {
        proof.index = index;
        (proof.path,) = tree(index);
        proof.coinbase = transactions[0];
        (proof.coinbasePath,) = tree(0);
    }

    function root() private view returns (bytes32 top) {
        (, top) = tree(0);
    }

    /// @dev Path of a leaf and the root, level by level as Bitcoin does it: an odd last node is paired with itself.
    function tree(uint256 index) private view returns (bytes32[] memory path, bytes32 top) {
        uint256 count = transactions.length;
        bytes32[] memory level = new bytes32[](count + 1);
        for (uint256 i = 0; i < count; ++i) {
            level[i] = hashOf(transactions[i]);
        }
        path = new bytes32[](0);
        while (count > 1) {
            if (count % 2 == 1) level[count++] = level[count - 2];
            bytes32[] memory longer = new bytes32[](path.length + 1);
            for (uint256 i = 0; i < path.length; ++i) {
                longer[i] = path[i];
            }
            longer[path.length] = level[index ^ 1];
            (path, index) = (longer, index / 2);
            for (uint256 i = 0; i < count / 2; ++i) {
                level[i] = hashOf(abi.encodePacked(level[2 * i], level[2 * i + 1]));
            }
            count /= 2;
        }
        top = level[0];
    }

    function spentBy(uint256 index, uint256 seed) private pure returns (bytes32) {
        return keccak256(abi.encode(index, seed));
    }

    function script(bytes32 program) private pure returns (bytes memory) {
        return abi.encodePacked(hex"0020", program);
    }

    /// @dev Output 1 pays AMOUNT to the script.
    function paying(uint256 salt, bytes memory to) private pure returns (bytes memory) {
        return spendingTo(bytes32(salt), to);
    }

    function spendingTo(bytes32 spent, bytes memory to) private pure returns (bytes memory) {
        return bytes.concat(
            abi.encodePacked(le(2), hex"02", bytes32("other"), le(0), hex"00", le(1)),
            abi.encodePacked(spent, le(5), hex"0401020304", le(1)),
            abi.encodePacked(hex"03", le(7), le(0), hex"0151"),
            abi.encodePacked(le(AMOUNT), le(0), uint8(to.length), to),
            abi.encodePacked(le(0), le(1), hex"00", le(0))
        );
    }

    /// @dev Of one input and one output.
    function spendingAt(bytes32 txid, uint256 spent) private pure returns (bytes memory) {
        bytes memory input = abi.encodePacked(hex"01", txid, le(spent), hex"00", le(1));
        return bytes.concat(le(2), input, hex"01", le(7), le(0), hex"0151", le(0));
    }

    function random(uint256 seed, uint256 inputs, uint256 outputs) private pure returns (bytes memory raw) {
        raw = bytes.concat(le(2), compactSize(inputs));
        for (uint256 i = 0; i < inputs; ++i) {
            bytes memory unlocking = script_(seed, 1000 + i);
            raw = bytes.concat(
                raw, keccak256(abi.encode(seed, i)), le(i), compactSize(unlocking.length), unlocking, le(0)
            );
        }
        raw = bytes.concat(raw, compactSize(outputs));
        for (uint256 i = 0; i < outputs; ++i) {
            bytes memory to = script_(seed, i);
            uint256 amount = amountOf(seed, i);
            raw = bytes.concat(raw, le(amount & 0xffffffff), le(amount >> 32), compactSize(to.length), to);
        }
        raw = bytes.concat(raw, le(seed & 0xffffffff));
    }

    /// @dev Of no bytes up to 400, with their lengths in one byte or three.
    function script_(uint256 seed, uint256 index) private pure returns (bytes memory made) {
        uint256 mixed = uint256(keccak256(abi.encode(seed, index)));
        made = new bytes(mixed % 7 == 0 ? mixed % 400 : mixed % 40);
        for (uint256 i = 0; i < made.length; ++i) {
            made[i] = bytes1(uint8(mixed >> (8 * (i % 32))));
        }
    }

    function amountOf(uint256 seed, uint256 index) private pure returns (uint256) {
        return uint64(uint256(keccak256(abi.encode("amount", seed, index))));
    }

    function compactSize(uint256 count) private pure returns (bytes memory) {
        if (count < 0xfd) return abi.encodePacked(uint8(count));
        return abi.encodePacked(hex"fd", uint8(count), uint8(count >> 8));
    }
}
