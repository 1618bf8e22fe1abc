"""A validator: signs roots of outboxes that it sees in final blocks, by several nodes that agree."""
