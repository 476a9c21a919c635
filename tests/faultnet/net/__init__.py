"""The parts of tests/faultnet/faultnet: rules, links, the loop."""
