"""The story that the results tell, claim by claim, as Markdown and as a page: data frames and params in, text out."""
