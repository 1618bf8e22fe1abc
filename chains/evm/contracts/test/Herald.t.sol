// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IVaults} from "../src/IVaults.sol";
import {Leg, Terms} from "./Kit.sol";
import {MessagingKit} from "./MessagingKit.sol";
import {PlainToken} from "./Tokens.sol";
import {Bulletin} from "../src/Bulletin.sol";
import {Herald} from "../src/Herald.sol";
import {Message} from "../src/IOutbox.sol";

/// @notice A spend on one chain, known on the other.
/// forge-config: default.isolate = true
/// forge-config: ci.isolate = true
contract HeraldTest is MessagingKit {
    Herald private herald;
    Bulletin private bulletin;

    function setUp() public override {
        super.setUp();
        herald = new Herald(vaults, outbox);
        bulletin = new Bulletin(inbox, A, address(herald));
    }

    function test_a_premium_taken_here_is_known_there() external {
        Leg memory leg = swapLeg(COIN, "premium");
        pay(vaultOf(leg), 1 ether);
        _tell(leg, COIN);
        eq(claimant.balance, 1 ether, "paid to whom the terms say");
        deliver(0, 1);
        eq(bulletin.spent(Terms.node(leg, 0, chain), 0, COIN), 1 ether, "told");
    }

    function test_tokens_too() external {
        PlainToken token = new PlainToken();
        Leg memory leg = swapLeg(address(token), "premium");
        token.mint(vaultOf(leg), 77);
        _tell(leg, address(token));
        deliver(0, 1);
        eq(bulletin.spent(Terms.node(leg, 0, chain), 0, address(token)), 77, "told");
    }

    function test_nothing_is_told_of_an_empty_leg() external {
        Leg memory leg = swapLeg(COIN, "premium");
        bytes32[] memory shown = witness(leg, 0, list(SECRET));
        uint256 path = Terms.word(leg, 0);
        VM.expectRevert(abi.encodeWithSelector(IVaults.EmptyVault.selector, vaultOf(leg), COIN));
        herald.spend(COIN, path, shown, B, address(inbox), address(bulletin), GAS);
    }

    function test_the_bulletin_believes_nobody_else() external {
        bytes memory lie = abi.encode(bytes32("terms"), 0, COIN, 1 ether);
        VM.expectRevert(abi.encodeWithSelector(Bulletin.NotTheInbox.selector, address(this)));
        bulletin.receiveMessage(A, address(herald), 0, lie);
        bytes32 id = send(address(bulletin), lie); // by anybody, not by the herald
        deliver(0, 1);
        ok(inbox.failed(id), "refused");
        eq(bulletin.spent("terms", 0, COIN), 0, "not believed");
    }

    function _tell(Leg memory leg, address asset) private {
        bytes32[] memory shown = witness(leg, 0, list(SECRET));
        uint256 amount = asset == COIN ? vaultOf(leg).balance : PlainToken(asset).balanceOf(vaultOf(leg));
        bytes32 id = herald.spend(asset, Terms.word(leg, 0), shown, B, address(inbox), address(bulletin), GAS);
        bytes memory payload = abi.encode(Terms.node(leg, 0, chain), uint256(0), asset, amount);
        ids.push(id);
        sent.push(
            Message(
                A,
                address(outbox),
                uint32(ids.length - 1),
                B,
                address(inbox),
                address(herald),
                address(bulletin),
                GAS,
                payload
            )
        );
    }
}
