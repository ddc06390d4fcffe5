"""What the pages share; the only place in the package that imports streamlit."""
