"""The report of a trained model: one page that needs nothing but a browser."""
