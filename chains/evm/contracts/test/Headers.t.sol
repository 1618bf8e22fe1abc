// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IBitcoinLightClient} from "../src/IBitcoinLightClient.sol";
import {BitcoinKit} from "./BitcoinKit.sol";
import {Vm} from "./Kit.sol";
import {EPOCH_FIRST, FIRST_HEIGHT, HASH_741888, HEADERS} from "./Mainnet.sol";

/// @notice The rules for headers: what is taken, and each way to be refused.
contract HeadersTest is BitcoinKit {
    uint256 private constant HEIGHT = 100_001; // in the midst of an epoch
    uint256 private constant BOUNDARY = 2016 * 50;

    function setUp() public {
        begin(easy(), HEIGHT, EASY, START - 1000);
    }

    // --- what is taken

    function test_a_batch_extends_the_chain_by_its_work() external {
        growMany(5);
        bytes32 old = client.tip();
        VM.recordLogs();
        bytes32 end = submit(11);
        require(end == hashOf(chain[15]) && client.tip() == end, "tip");
        IBitcoinLightClient.Checkpoint memory found = client.checkpoint(end);
        require(found.previous == old, "previous");
        eq(found.height, HEIGHT + 5, "height");
        eq(found.work, 1000 + 5 * 2, "work");
        Vm.Log[] memory logs = VM.getRecordedLogs();
        eq(logs.length, 1, "events");
        require(logs[0].topics[0] == IBitcoinLightClient.Extended.selector && logs[0].topics[1] == end, "event");
        require(client.checkpoint(hashOf(chain[13])).work == 0, "only the last one is stored");
        eq(client.confirmations(end, HEIGHT + 5), 1, "tip");
        eq(client.confirmations(old, HEIGHT), 6, "anchor");
        eq(client.confirmations(old, HEIGHT - 3), 9, "before the anchor");
        eq(client.confirmations(old, HEIGHT + 1), 0, "after the checkpoint that is said to follow it");
        eq(client.confirmations(hashOf(chain[13]), HEIGHT + 3), 0, "no checkpoint");
    }

    /// @dev The anchor is 741884, the retarget four blocks later.
    function test_bitcoins_own_headers_across_a_retarget() external {
        mainnet(timeOf(EPOCH_FIRST));
        (uint256 known, bytes memory headers) = batch(11);
        client.submit(known, headers);
        IBitcoinLightClient.Checkpoint memory found = client.checkpoint(client.tip());
        eq(found.height, 741_899, "height");
        eq(found.epochBits, 0x170984cc, "bits");
        require(hashOf(chain[741_888 - FIRST_HEIGHT]) == HASH_741888, "hash");
        uint256 old = type(uint256).max / (targetOf(0x17094b6a) + 1); // no power of two divides evenly
        eq(found.work, 1000 + 3 * old + 12 * (type(uint256).max / (targetOf(0x170984cc) + 1)), "work");
    }

    /// @dev One interval more or less, and the target is another: it is measured over 2015 of them.
    function test_a_retarget_is_measured_from_the_first_block_to_the_last() external {
        uint32 right = 0x170984cc;
        for (uint256 wrong = 0; wrong < 2; ++wrong) {
            mainnet(wrong == 0 ? timeOf(EPOCH_FIRST) - 600 : timeOf(EPOCH_FIRST) + 600);
            uint256 span = timeOf(chain[741_887 - FIRST_HEIGHT]) - client.checkpoint(client.tip()).epochTime;
            uint32 expected = compact(targetOf(0x17094b6a) * span / EPOCH_SECONDS);
            require(expected != right, "the same");
            refused(11, abi.encodeWithSelector(IBitcoinLightClient.WrongTarget.selector, 741_888, right, expected));
        }
    }

    function test_from_the_first_block_of_a_chain() external {
        begin(easy(), 0, EASY, START);
        growMany(30);
        submit(1);
        eq(client.checkpoint(client.tip()).height, 30, "height");
    }

    function test_a_known_batch_changes_nothing() external {
        growMany(3);
        submit(11);
        VM.recordLogs();
        require(submit(11) == client.tip(), "end");
        eq(VM.getRecordedLogs().length, 0, "events");
    }

    /// @dev Two relayers bring batches that begin at the same checkpoint: the later one goes on from the earlier one's end.
    function test_a_batch_over_the_tip_is_linked_to_it() external {
        growMany(3);
        bytes32 first = submit(11);
        growMany(2);
        VM.recordLogs();
        bytes32 second = submit(11);
        require(VM.getRecordedLogs()[0].topics[0] == IBitcoinLightClient.Extended.selector, "event");
        require(client.checkpoint(second).previous == first, "link");
        eq(client.confirmations(first, HEIGHT + 3), 3, "confirmations");
        bytes32[] memory latest = client.latest(10);
        eq(latest.length, 3, "latest");
        require(latest[0] == second && latest[1] == first && latest[2] == hashOf(chain[10]), "order");
    }

    /// forge-config: ci.fuzz.runs = 500
    /// @dev Two chains of checkpoints that part somewhere, and every one of both is found or not found as it should be.
    function testFuzz_any_checkpoint_is_found_from_the_tip(uint256 seed) external {
        uint256 count = 40 + seed % 30;
        uint256 fork = 1 + (seed >> 8) % (count - 1);
        bytes32[] memory ends = new bytes32[](count);
        for (uint256 i = 0; i < count; ++i) {
            growMany(1);
            ends[i] = submit(chain.length - 1);
            eq(client.checkpoint(ends[i]).ordinal, i + 1, "ordinal");
            for (uint256 j = i / 2; j <= i; ++j) {
                eq(client.confirmations(ends[j], HEIGHT + 1 + j), i - j + 1, "on the chain");
            }
        }
        uint256 lost = count - fork;
        replace(lost);
        growMany(1);
        uint256 from = chain.length - lost - 1;
        bytes memory before = join(from - 11, from);
        for (; from < chain.length; ++from) {
            client.submit(11, bytes.concat(before, chain[from]));
            before = bytes.concat(slice(before, 80, 800), chain[from]);
        }
        for (uint256 j = 0; j < count; ++j) {
            eq(client.confirmations(ends[j], HEIGHT + 1 + j), j < fork ? count - j + 1 : 0, "after the fork");
        }
    }

    // --- work

    function test_a_branch_with_less_or_equal_work_is_kept_but_not_best() external {
        growMany(3);
        bytes32 best = submit(11);
        replace(3);
        chain.pop();
        VM.recordLogs();
        bytes32 less = submit(11);
        require(VM.getRecordedLogs()[0].topics[0] == IBitcoinLightClient.Forked.selector, "event");
        require(client.tip() == best, "less work");
        growMany(1);
        submit(13);
        require(client.tip() == best, "equal work: the first seen stays");
        eq(client.confirmations(less, HEIGHT + 2), 0, "not on the best chain");
        eq(client.checkpoint(less).height, HEIGHT + 2, "kept");
        growMany(1);
        VM.recordLogs();
        bytes32 more = submit(11);
        Vm.Log[] memory logs = VM.getRecordedLogs();
        require(logs[0].topics[0] == IBitcoinLightClient.Reorganised.selector, "event");
        require(logs[0].topics[1] == best && logs[0].topics[2] == more, "from and to");
        require(client.tip() == more, "more work");
        eq(client.confirmations(best, HEIGHT + 3), 0, "the old tip");
    }

    /// @dev Not the longest chain: two blocks of four hashes each beat three of two.
    function test_a_shorter_chain_with_more_work_is_best() external {
        IBitcoinLightClient.Network memory network = easy();
        network.minDifficulty = true;
        begin(network, HEIGHT, HARDER, START);
        uint256 time = timeOf(chain[10]);
        for (uint256 i = 1; i <= 3; ++i) {
            grow(time + 1201 * i, EASY);
        }
        submit(11);
        eq(client.checkpoint(client.tip()).height, HEIGHT + 3, "longer");
        for (uint256 i = 0; i < 3; ++i) {
            chain.pop();
        }
        growMany(2);
        bytes32 end = submit(11);
        require(client.tip() == end, "tip");
        eq(client.checkpoint(end).height, HEIGHT + 2, "shorter");
        eq(client.checkpoint(end).work, 1000 + 2 * 4, "work");
    }

    function test_a_hash_above_the_target_is_refused() external {
        bytes memory header = fake(hashOf(chain[10]), timeOf(chain[10]) + 600, EASY);
        chain.push(header);
        bytes4 why = IBitcoinLightClient.InsufficientWork.selector;
        refused(11, abi.encodeWithSelector(why, HEIGHT + 1, hashOf(header)));
    }

    function test_a_target_of_ones_own_is_refused() external {
        uint32[4] memory bits = [uint32(0x207ffffe), 0x2100ffff, 0x207fffff | 0x800000, 0x1f7fffff];
        for (uint256 i = 0; i < bits.length; ++i) {
            uint256 time = timeOf(chain[10]) + 600;
            chain.push(
                bytes.concat(abi.encodePacked(uint32(0), hashOf(chain[10]), bytes32(0)), le(time), le(bits[i]), le(0))
            );
            bytes4 why = IBitcoinLightClient.WrongTarget.selector;
            refused(11, abi.encodeWithSelector(why, HEIGHT + 1, bits[i], EASY));
            chain.pop();
        }
    }

    // --- retargets

    /// forge-config: ci.fuzz.runs = 1000
    /// @dev Whatever the span: by the formula, within a quarter and four times, and never above the limit.
    function testFuzz_the_next_target_is_the_formulas(uint256 span, uint256 seed) external {
        span = span % (6 * EPOCH_SECONDS);
        uint32 bits = uint32(0x20000000 | (0x10ffff + seed % 0x600000));
        uint256 last = START + 10 * SPACING; // of the headers that `begin` makes
        begin(easy(), BOUNDARY - 1, bits, last - span);
        uint256 clamped = span < EPOCH_SECONDS / 4 ? EPOCH_SECONDS / 4 : span;
        if (clamped > EPOCH_SECONDS * 4) clamped = EPOCH_SECONDS * 4;
        uint32 expected = scaled(bits, clamped);
        grow(last + 600, expected == EASY ? HARDER : EASY);
        refused(
            11, abi.encodeWithSelector(IBitcoinLightClient.WrongTarget.selector, BOUNDARY, bitsOf(chain[11]), expected)
        );
        chain.pop();
        grow(last + 600, expected);
        grow(last + 1200, expected);
        submit(11);
        IBitcoinLightClient.Checkpoint memory found = client.checkpoint(client.tip());
        eq(found.epochTime, last + 600, "epoch");
        eq(found.epochBits, expected, "bits");
    }

    /// @dev An epoch that took very long: four times at most, and the limit.
    function test_a_slow_epoch_makes_it_four_times_as_easy() external {
        begin(easy(), BOUNDARY - 1, 0x200fffff, START - 100 * EPOCH_SECONDS);
        grow(timeOf(chain[10]) + 600, compact(targetOf(0x200fffff) * 4));
        submit(11);
        begin(easy(), BOUNDARY - 1, HARDER, START - 100 * EPOCH_SECONDS);
        grow(timeOf(chain[10]) + 600, EASY);
        submit(11);
        eq(client.checkpoint(client.tip()).epochBits, EASY, "limit");
    }

    function test_the_old_target_after_an_epoch_is_refused() external {
        begin(easy(), BOUNDARY - 1, HARDER, START + 5000 - EPOCH_SECONDS / 2);
        growMany(1);
        uint32 expected = scaled(HARDER, timeOf(chain[10]) - (START + 5000 - EPOCH_SECONDS / 2));
        refused(11, abi.encodeWithSelector(IBitcoinLightClient.WrongTarget.selector, BOUNDARY, HARDER, expected));
    }

    function test_no_retarget_where_the_network_has_none() external {
        IBitcoinLightClient.Network memory network = easy();
        network.noRetarget = true;
        begin(network, BOUNDARY - 1, HARDER, START - EPOCH_SECONDS / 4);
        growMany(2);
        submit(11);
    }

    /// @dev BIP94: the epoch's own target, not that of a last block that came by the twenty-minute rule.
    function test_a_retarget_from_the_epochs_first_block() external {
        IBitcoinLightClient.Network memory network = easy();
        network.minDifficulty = true;
        for (uint256 i = 0; i < 2; ++i) {
            network.fromFirst = i == 1;
            begin(network, BOUNDARY - 2, HARDER, START);
            uint256 time = timeOf(chain[10]);
            grow(time + 1201, EASY); // the last of its epoch
            uint32 expected = scaled(i == 1 ? HARDER : EASY, EPOCH_SECONDS / 4);
            grow(time + 1801, expected);
            submit(11);
            eq(client.checkpoint(client.tip()).epochBits, expected, "bits");
        }
    }

    function test_an_easy_block_only_after_twenty_minutes() external {
        IBitcoinLightClient.Network memory network = easy();
        network.minDifficulty = true;
        begin(network, HEIGHT, HARDER, START);
        uint256 time = timeOf(chain[10]);
        grow(time + 1200, EASY);
        bytes4 why = IBitcoinLightClient.WrongTarget.selector;
        refused(11, abi.encodeWithSelector(why, HEIGHT + 1, EASY, HARDER));
        chain.pop();
        grow(time + 1201, HARDER);
        refused(11, abi.encodeWithSelector(why, HEIGHT + 1, HARDER, EASY));
        chain.pop();
        grow(time + 1201, EASY);
        grow(time + 1202, HARDER); // afterwards the epoch's own again
        submit(11);
    }

    // --- time

    function test_a_timestamp_is_above_the_median_of_eleven() external {
        uint256 median = timeOf(chain[5]);
        grow(median, EASY);
        refused(11, abi.encodeWithSelector(IBitcoinLightClient.NotAfterMedian.selector, HEIGHT + 1, median));
        chain.pop();
        grow(median + 1, EASY);
        submit(11);
    }

    /// forge-config: ci.fuzz.runs = 2000
    /// @dev Timestamps in any order: taken if and only if above the middle one of the eleven before, sorted.
    function testFuzz_the_median_rule(uint256 seed) external {
        uint256[] memory times = new uint256[](11);
        for (uint256 i = 0; i < 11; ++i) {
            times[i] = timeOf(chain[i]);
        }
        for (uint256 i = 0; i < 12; ++i) {
            seed = uint256(keccak256(abi.encode(seed)));
            uint256 median = middle(times);
            uint256 time = median - 3 + seed % (i % 3 == 0 ? 8 : 3000);
            grow(time, EASY);
            uint256 height = tipHeight();
            if (time <= median) {
                refused(
                    chain.length - 1, abi.encodeWithSelector(IBitcoinLightClient.NotAfterMedian.selector, height, time)
                );
                chain.pop();
                continue;
            }
            submit(chain.length - 1);
            for (uint256 j = 0; j < 10; ++j) {
                times[j] = times[j + 1];
            }
            times[10] = time;
        }
    }

    function test_a_timestamp_ahead_of_this_chains_clock_waits() external {
        uint256 time = block.timestamp + 7201;
        grow(time, EASY);
        refused(11, abi.encodeWithSelector(IBitcoinLightClient.TooFarAhead.selector, HEIGHT + 1, time));
        VM.warp(block.timestamp + 1);
        submit(11);
    }

    /// @dev The last block of an epoch lies ahead and the next one's first back in the past, so that the epoch seems long.
    function test_a_time_warp_is_refused_where_the_network_says_so() external {
        for (uint256 i = 0; i < 2; ++i) {
            IBitcoinLightClient.Network memory network = easy();
            network.maxWarp = i == 0 ? 600 : 0;
            begin(network, BOUNDARY - 2, HARDER, START);
            uint256 ahead = timeOf(chain[10]) + 100_000;
            grow(ahead, HARDER);
            uint32 bits = scaled(HARDER, EPOCH_SECONDS / 4);
            grow(ahead - 601, bits);
            if (i == 0) {
                refused(11, abi.encodeWithSelector(IBitcoinLightClient.TimeWarp.selector, BOUNDARY, ahead - 601));
                chain.pop();
                grow(ahead - 600, bits);
            }
            submit(11); // Bitcoin has no such rule, and a client must not part from its chain
        }
    }

    // --- batches

    function test_a_batch_begins_at_a_checkpoint() external {
        growMany(13);
        bytes32 unknown = hashOf(chain[11]);
        refused(12, abi.encodeWithSelector(IBitcoinLightClient.UnknownParent.selector, unknown));
    }

    function test_a_header_with_another_parent_is_refused() external {
        growMany(3);
        bytes memory header = chain[12];
        chain[12] = mine(hashOf(chain[10]), timeOf(header), EASY, 0);
        refused(11, abi.encodeWithSelector(IBitcoinLightClient.Unlinked.selector, 12));
        chain[12] = header;
        chain[4] = mine(hashOf(chain[3]), timeOf(chain[4]), EASY, "another");
        refused(11, abi.encodeWithSelector(IBitcoinLightClient.Unlinked.selector, 5));
    }

    /// @dev Fewer or more times than eleven have another median.
    function test_the_known_headers_are_eleven() external {
        growMany(1);
        bytes4 why = IBitcoinLightClient.BadContext.selector;
        refused(10, join(1, chain.length), abi.encodeWithSelector(why, 10, 11));
        submit(11);
        growMany(1);
        refused(12, join(0, chain.length), abi.encodeWithSelector(why, 12, 11));
    }

    function test_whole_headers_of_which_one_is_new() external {
        growMany(1);
        bytes memory headers = join(0, chain.length);
        bytes4 why = IBitcoinLightClient.BadBatch.selector;
        refused(12, headers, abi.encodeWithSelector(why, 960, 12));
        refused(0, headers, abi.encodeWithSelector(why, 960, 0));
        refused(type(uint256).max, headers, abi.encodeWithSelector(why, 960, type(uint256).max));
        refused(11, slice(headers, 0, 959), abi.encodeWithSelector(why, 959, 11));
        refused(11, bytes.concat(headers, hex"00"), abi.encodeWithSelector(why, 961, 11));
        refused(1, "", abi.encodeWithSelector(why, 0, 1));
    }

    /// @dev Any bit of any header that is shown changed: nothing is taken as if it were the true one.
    function testFuzz_no_changed_header_passes(uint256 place, uint8 bit) external {
        growMany(3);
        (uint256 known, bytes memory headers) = batch(11);
        place %= headers.length;
        headers[place] ^= bytes1(uint8(1 << (bit % 8)));
        bytes32 best = client.tip();
        try client.submit(known, headers) returns (bytes32 end) {
            // only the very last header can be another valid one, and then it is another block
            require(place >= headers.length - 80 && end != hashOf(chain[13]), "taken");
            require(client.checkpoint(hashOf(chain[13])).work == 0, "taken for the true one");
        } catch {
            require(client.tip() == best, "tip moved");
        }
    }

    // --- anchors and networks

    function test_a_network_of_easy_blocks_wants_the_flag() external {
        IBitcoinLightClient.Network memory network = easy();
        IBitcoinLightClient.Anchor memory start = anchor(chain[10], HEIGHT, START, EASY);
        VM.expectRevert(IBitcoinLightClient.InsecureNetwork.selector);
        this.deploying(network, start, false);
        require(deploy(network, start, true).insecure(), "insecure");
        network.limitBits = 0x1d00ffff;
        for (uint256 i = 0; i < 2; ++i) {
            (network.minDifficulty, network.noRetarget) = (i == 0, i == 1);
            VM.expectRevert(IBitcoinLightClient.InsecureNetwork.selector);
            this.deploying(network, start, false);
        }
        require(client.insecure(), "readable");
        eq(client.network().limitBits, EASY, "network");
    }

    function test_an_anchor_that_contradicts_itself_is_refused() external {
        IBitcoinLightClient.Anchor[] memory bad = new IBitcoinLightClient.Anchor[](8);
        for (uint256 i = 0; i < bad.length; ++i) {
            bad[i] = anchor(chain[10], BOUNDARY, timeOf(chain[10]), EASY);
        }
        bad[0].header = slice(chain[10], 0, 79);
        bad[1].header = bytes.concat(chain[10], hex"00");
        bad[2].work = 0;
        bad[3].epochTime += 1;
        bad[4].epochBits = HARDER;
        bad[5].header = fake(hashOf(chain[9]), timeOf(chain[10]), EASY);
        bad[6].height = uint32(HEIGHT); // in the midst of an epoch, but without a rule that gives blocks other targets
        bad[6].epochBits = HARDER;
        bad[7].header = "";
        for (uint256 i = 0; i < bad.length; ++i) {
            VM.expectRevert(IBitcoinLightClient.BadAnchor.selector);
            this.deploying(easy(), bad[i], true);
        }
        this.deploying(easy(), anchor(chain[10], BOUNDARY, timeOf(chain[10]), EASY), true);
    }

    function test_a_limit_has_one_form() external {
        uint32[6] memory bits = [uint32(0), 0x2000ffff >> 8, 0x20ffffff, 0x22000001, 0xff7fffff, 0x01003456];
        for (uint256 i = 0; i < bits.length; ++i) {
            IBitcoinLightClient.Network memory network = easy();
            network.limitBits = bits[i];
            VM.expectRevert(abi.encodeWithSelector(IBitcoinLightClient.BadBits.selector, bits[i]));
            this.deploying(network, anchor(chain[10], HEIGHT, START, EASY), true);
        }
    }

    // --- helpers

    function deploying(
        IBitcoinLightClient.Network memory network,
        IBitcoinLightClient.Anchor memory start,
        bool permitInsecure
    ) external {
        deploy(network, start, permitInsecure);
    }

    /// @dev The last headers replaced by others of the same times.
    function replace(uint256 count) private {
        uint256 from = chain.length - count;
        for (uint256 i = from; i < chain.length; ++i) {
            chain[i] = mine(hashOf(chain[i - 1]), timeOf(chain[i]), EASY, "another");
        }
    }

    function scaled(uint32 bits, uint256 span) private pure returns (uint32) {
        uint256 target = targetOf(bits) / 2 ** 32; // so that the product fits
        uint256 exact = target * span / EPOCH_SECONDS;
        uint256 wide = exact > type(uint256).max >> 32 ? type(uint256).max : exact << 32;
        return wide >= targetOf(EASY) ? EASY : compact(wide);
    }

    function middle(uint256[] memory times) private pure returns (uint256) {
        uint256[] memory sorted = new uint256[](times.length);
        for (uint256 i = 0; i < times.length; ++i) {
            uint256 j = i;
            for (; j > 0 && sorted[j - 1] > times[i]; --j) {
                sorted[j] = sorted[j - 1];
            }
            sorted[j] = times[i];
        }
        return sorted[times.length / 2];
    }

    function load() private {
        delete chain;
        bytes memory all = HEADERS;
        for (uint256 i = 0; i < all.length; i += 80) {
            chain.push(slice(all, i, 80));
        }
    }

    /// @dev A client of Bitcoin's own chain, anchored at 741884.
    function mainnet(uint256 epochTime) private {
        load();
        base = FIRST_HEIGHT;
        IBitcoinLightClient.Network memory network = IBitcoinLightClient.Network(0x1d00ffff, 0, false, false, false);
        client = deploy(network, anchor(chain[10], 741_884, epochTime, bitsOf(chain[10])), false);
        VM.warp(timeOf(chain[chain.length - 1]));
    }
}
