"""The history of the schema, one module a step. `settlement.store.schema` runs them."""
