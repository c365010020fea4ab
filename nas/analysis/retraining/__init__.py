"""Networks of a run trained again: ablation of one network, trust in the Pareto front."""
