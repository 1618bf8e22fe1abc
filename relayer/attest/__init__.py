"""The quorum of attested options: members that sign what they see, and the way to them."""
