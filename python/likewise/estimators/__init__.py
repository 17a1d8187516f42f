"""The estimators, a file a family; import them from `likewise`."""
