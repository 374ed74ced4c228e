"""Reports: what jobs made, as one page, a PDF and a zip that repeats them."""
