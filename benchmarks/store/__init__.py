"""Results on disk: records, grids, trees, pools, and where they come from."""
