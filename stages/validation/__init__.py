"""The pipeline that tries the recommendation on toys with a known L0, `make validation`."""
