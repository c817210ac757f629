"""Tables as codes: public grids, bins fitted to summed histograms, marginals over the codes."""
