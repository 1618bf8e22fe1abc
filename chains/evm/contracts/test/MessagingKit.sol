// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Checkpoint, IInbox, IRecipient, Origin, Signed} from "../src/IInbox.sol";
import {IOutbox, Message} from "../src/IOutbox.sol";
import {IQuorum} from "../src/IQuorum.sol";
import {Kit} from "./Kit.sol";

/// @dev What tests see of an inbox besides its interface.
interface IInboxParts {
    function open(address recipient) external view returns (bool);
    function GUARDIAN() external view returns (address);
}

/// @dev Takes everything, and remembers it.
contract Taker is IRecipient {
    IInbox internal immutable INBOX;
    uint256 public taken;
    bytes32 public lastId;
    address public lastSender;
    uint64 public lastSource;
    bytes public lastPayload;
    mapping(bytes32 id => uint256) public times;

    constructor(IInbox inbox) {
        INBOX = inbox;
        inbox.opt(true);
    }

    function receiveMessage(uint64 source, address sender, bytes32 id, bytes calldata payload) external virtual {
        require(msg.sender == address(INBOX), "only the inbox");
        ++taken;
        ++times[id];
        (lastId, lastSender, lastSource, lastPayload) = (id, sender, source, payload);
    }
}

/// @dev Does nothing: the least that a recipient costs.
contract Empty is IRecipient {
    constructor(IInbox inbox) {
        inbox.opt(true);
    }

    function receiveMessage(uint64, address, bytes32, bytes calldata) external {}
}

/// @dev Fails in the way it is told to.
contract Bad is IRecipient {
    enum Way {
        TAKE,
        REVERT,
        BURN,
        BOMB,
        INVALID
    }

    Way public way;
    uint256 public taken;

    constructor(IInbox inbox, Way first) {
        inbox.opt(true);
        way = first;
    }

    function set(Way next) external {
        way = next;
    }

    function receiveMessage(uint64, address, bytes32, bytes calldata) external {
        if (way == Way.REVERT) revert("no");
        if (way == Way.BURN) {
            while (true) {}
        }
        if (way == Way.BOMB) {
            assembly {
                revert(0, 100000)
            }
        }
        if (way == Way.INVALID) {
            assembly {
                invalid()
            }
        }
        ++taken;
    }
}

/// @dev Comes back in with what it is told, when it gets a message.
contract Returning is IRecipient {
    IInbox private immutable INBOX;
    bytes private call;
    bool public came;
    uint256 public taken;

    constructor(IInbox inbox) {
        INBOX = inbox;
        inbox.opt(true);
    }

    function arm(bytes calldata next) external {
        call = next;
    }

    function receiveMessage(uint64, address, bytes32, bytes calldata) external {
        ++taken;
        (came,) = address(INBOX).call(call);
    }
}

/// @dev Two chains in one: an outbox of chain A, an inbox of chain B, and signers. Proofs and ids are worked out from the text of
/// the interfaces alone.
abstract contract MessagingKit is Kit {
    uint64 internal constant A = 1001;
    uint64 internal constant B = 2002;
    uint64 internal constant GRACE = 1 days;
    uint256 internal constant SIGNERS = 4;
    uint32 internal constant GAS = 200_000;
    address internal constant SENDER = address(0x5E4D);
    address internal constant GUARDIAN = address(0x60A2D);

    IOutbox internal outbox;
    IInbox internal inbox;
    IQuorum internal quorum;
    bytes32 internal lane;
    bytes32[] internal ids; // of what was sent, in order
    Message[] internal sent;

    function setUp() public virtual override {
        super.setUp();
        VM.chainId(A);
        outbox = IOutbox(create("Outbox.sol:Outbox", ""));
        VM.chainId(B);
        quorum = newQuorum(membersOf(SIGNERS), false);
        inbox = newInbox(quorum);
        lane = inbox.laneFrom(A, address(outbox));
    }

    function newQuorum(bytes memory members, bool regtest) internal returns (IQuorum) {
        return IQuorum(create("Quorum.sol:Quorum", abi.encode(members, GRACE, regtest)));
    }

    function newInbox(IQuorum signers) internal returns (IInbox) {
        Origin[] memory origins = new Origin[](1);
        origins[0] = Origin(A, address(outbox));
        return IInbox(create("Inbox.sol:Inbox", abi.encode(signers, GUARDIAN, origins)));
    }

    // --- signers: key 1000 + i, in the order of their addresses

    function keysOf(uint256 n, uint256 from) internal pure returns (uint256[] memory keys) {
        keys = new uint256[](n);
        for (uint256 i = 0; i < n; ++i) {
            uint256 key = from + i;
            uint256 j = i;
            for (; j > 0 && VM.addr(keys[j - 1]) > VM.addr(key); --j) {
                keys[j] = keys[j - 1];
            }
            keys[j] = key;
        }
    }

    function membersFrom(uint256 n, uint256 from) internal pure returns (bytes memory members) {
        uint256[] memory keys = keysOf(n, from);
        for (uint256 i = 0; i < n; ++i) {
            members = abi.encodePacked(members, VM.addr(keys[i]));
        }
    }

    function membersOf(uint256 n) internal pure returns (bytes memory) {
        return membersFrom(n, 1000);
    }

    function compact(uint256 key, bytes32 digest) internal pure returns (bytes memory) {
        (uint8 v, bytes32 r, bytes32 s) = VM.sign(key, digest);
        return abi.encodePacked(r, bytes32(uint256(s) | (uint256(v - 27) << 255)));
    }

    function signatures(uint256[] memory keys, uint256 n, bytes32 digest) internal pure returns (bytes memory all) {
        for (uint256 i = 0; i < n; ++i) {
            all = abi.encodePacked(all, compact(keys[i], digest));
        }
    }

    function signed(Checkpoint memory checkpoint) internal view returns (Signed memory) {
        bytes32 digest = inbox.digest(checkpoint);
        return Signed(membersOf(SIGNERS), signatures(keysOf(SIGNERS, 1000), 3, digest));
    }

    // --- messages

    function send(address recipient, bytes memory payload) internal returns (bytes32) {
        return send(recipient, GAS, payload);
    }

    function send(address recipient, uint32 gas, bytes memory payload) internal returns (bytes32 id) {
        VM.chainId(A);
        VM.prank(SENDER);
        id = outbox.send(B, address(inbox), recipient, gas, payload);
        VM.chainId(B);
        ids.push(id);
        sent.push(
            Message(A, address(outbox), uint32(ids.length - 1), B, address(inbox), SENDER, recipient, gas, payload)
        );
    }

    function checkpointNow() internal view returns (Checkpoint memory) {
        (uint32 count, bytes32 root) = outbox.checkpoint(lane);
        return Checkpoint(1, lane, count, root);
    }

    function packed(uint256 first, uint256 end) internal view returns (bytes memory all) {
        for (uint256 i = first; i < end; ++i) {
            Message memory m = sent[i];
            all = abi.encodePacked(all, m.sender, m.recipient, m.gas, uint32(m.payload.length), m.payload);
        }
    }

    // --- proofs, by definition

    function nodeAt(uint256 height, uint256 place, uint256 count) internal view returns (bytes32) {
        if (place << height >= count) return emptyAt(height);
        if (height == 0) return ids[place];
        return
            keccak256(abi.encodePacked(nodeAt(height - 1, 2 * place, count), nodeAt(height - 1, 2 * place + 1, count)));
    }

    function emptyAt(uint256 height) internal pure returns (bytes32 node) {
        for (uint256 i = 0; i < height; ++i) {
            node = keccak256(abi.encodePacked(node, node));
        }
    }

    function proofOf(uint256 first, uint256 end, uint256 count) internal view returns (bytes32[] memory proof) {
        bytes32[] memory all = new bytes32[](64);
        uint256 n = 0;
        for (uint256 height = 0; height < 32; ++height) {
            if (first % 2 == 1) all[n++] = nodeAt(height, first - 1, count);
            if (end % 2 == 1 && end << height < count) all[n++] = nodeAt(height, end, count);
            (first, end) = (first / 2, (end + 1) / 2);
        }
        proof = new bytes32[](n);
        for (uint256 i = 0; i < n; ++i) {
            proof[i] = all[i];
        }
    }

    function deliver(uint256 first, uint256 end) internal returns (uint256) {
        Checkpoint memory checkpoint = checkpointNow();
        return inbox.deliver(
            checkpoint, signed(checkpoint), uint32(first), packed(first, end), proofOf(first, end, checkpoint.count)
        );
    }

    function deliverCall(uint256 first, uint256 end) internal view returns (bytes memory) {
        Checkpoint memory checkpoint = checkpointNow();
        bytes32[] memory proof = proofOf(first, end, checkpoint.count);
        return abi.encodeCall(inbox.deliver, (checkpoint, signed(checkpoint), uint32(first), packed(first, end), proof));
    }

    function isDelivered(uint256 index) internal view returns (bool) {
        return (inbox.delivered(lane, index >> 8) >> (index & 0xff)) & 1 == 1;
    }
}
