package envcheck

import "strings"

// varlockTraps are hand-picked schemas: each line of a list is a schema of its
// own, in which \n is a line break. {} stands for a header and its environment.
func varlockTraps() []varlockCase {
	var cases []varlockCase
	for line := range strings.Lines(trapSchemas) {
		if line = strings.TrimSuffix(line, "\n"); line == "" || strings.HasPrefix(line, "// ") {
			continue
		}
		text := strings.NewReplacer("{}", "# @currentEnv=$APP_ENV @defaultRequired=false\n# ---\nAPP_ENV=\n", `\n`, "\n", `\t`, "\t", `\r`, "\r").Replace(line)
		c := varlockCase{name: "trap " + line, Files: map[string]string{".env.schema": text + "\n"}}
		flag := "APP_ENV"
		if s, _ := ParseSchema("", []byte(text)); s.CurrentEnv != "" {
			flag = s.CurrentEnv
		}
		cases = append(cases, inEnvironments(c, flag, nil))
	}
	return append(cases, importTraps()...)
}

// importTraps are schemas in several files.
func importTraps() []varlockCase {
	head := "# @currentEnv=$APP_ENV @defaultRequired=false\n"
	var cases []varlockCase
	for _, imp := range []string{
		"@import(./.env.shared)", "@import(./.env.shared, pick=[A])", "@import(./.env.shared, omit=[A])", "@import(./.env.shared, A)", "@import(./.env.gone)",
		"@import(./.env.gone, allowMissing=true)", "@import(./.env.gone, enabled=false)", "@import(./.env.shared, enabled=forEnv(test))", "@import(.env.shared)",
		"@import(./.env.shared, pick=[A], omit=[B])", "@import(./.env.shared, pick=A)", "@import(./.env.shared, pick=[])", "@import()", "@import", "@import=./.env.shared",
		"@import(https://a.b/.env.x)", "@import(npm:x)", "@import(./shared.env)", "@import($APP_ENV)", "@import(./.env.shared, enabled=yes)", "@import(./.env.shared, A, pick=[B])",
		`@import("./.env.shared")`, "@import(./.env.shared, allowMissing=1)", "@import(./.env.shared) @import(./.env.more)", "@import(pick=[A])",
		"@import(./.env.more) @import(./.env.shared)", "@import(./.env.shared, pick=[A*])", "@import(./.env.shared, omit=['?'])", "@import(./.env.nested)",
		"@import(./.env.loop)", "@import(./.env.dir/)", "@import(./.env.env)", "@import(./.env.env) @import(./.env.shared)", "@import(./.env.more, omit=[E])",
		"@import(./.env.bad)", "@import(./.env.bad, pick=[A])", "@import(./.env.bad, omit=[A])", "@import(./.env.needs)", "@import(./.env.flag)",
	} {
		c := varlockCase{name: "trap " + imp, Files: map[string]string{
			".env.schema": head + "# " + imp + "\n# ---\nAPP_ENV=\nOWN=$APP_ENV\n# @type=port\nB=1\nD=\n",
			".env.shared": "# @defaultRequired=true @defaultSensitive=false\n# ---\n# @type=number\nA=5\nB=2\nC=x\n",
			".env.more":   "# @defaultRequired=false\n# ---\nD=\n# @required=forEnv(test)\nE=\nF=$APP_ENV\nC=y\n# @type=number\nOWN=2\n# @type=string(minLength=3) @required\nB=\n",
			".env.nested": "# @import(./.env.shared, omit=[C])\n# ---\n# @optional @type=email\nA=\nG=$B\nH=$APP_ENV\n",
			".env.loop":   "# @import(./.env.schema)\n# ---\nA=1\n",
			".env.env":    "# @currentEnv=$MODE\n# ---\nMODE=development\nN=forEnv(test)\nB=\n",
			".env.needs":  "A=$OWN\nI=$GONE\n",
			".env.flag":   "# @currentEnv=$APP_ENV\n# ---\nJ=forEnv(test)\n",
			".env.bad":    "A=1\n# @type=nope\nQ=$NOPE\n",
		}}
		cases = append(cases, inEnvironments(c, "APP_ENV", nil))
	}
	return cases
}

const trapSchemas = `
// lines
A=1
A = 1
 A=1
export A=1
export  A=1
exportA=1
export=1
export =1
export\tA=1
A
A:1
A: 1
=1
1A=1
A.B-C=1
-A=1
A=1\r\nB=2\r\n
A=1\rB=2
\r\nA=1
A=1\n \nB=2
A=1\n\t\n
 # indented\nA=1
#\nA=1
##\nA=1
###\nA=1
####\nA=1
# -=*\nA=1
#---\nA=1
// values
A= 1
A=  a b  # c
A=a#b
A=a # b
A= # b
A=#b
A= "x"
A= 'x'
A="x" # c
A="x"#c
A="x"y
A="x
A='x
A=it's
A="it's"
A='it\'s'
A="a\"b"
A="a\\"
A="a\\"b"
A='a\\'
A="a\\nb"
A='a\\nb'
A="""a"""
A="""a\nb"""
A="""a\nb""" # c
A="""a\\nb\nc"""
A="""a\\"""b\nc"""
A=""
A=''
A="a\nb"
A='a\nb' # c
A="a\nb"c
A=true
A=false
A=undefined
A=TRUE
A=01
A=1.0
A=1.5
A=.5
A=-1
A=-0
A=1e3
A=9007199254740991
A=9007199254740992
A=0.1
A=0.0000001
A=1_000
A=/a/b/
A=/a(b)/i
A= concat(a, b)
A=concat(a, b)
A=concat(a,b) # c
A=concat(a,b) c
A=concat(a b)
A=hello(world
A=hello(world)
A=concat(a,,b)
A=concat(a,b,)
A=concat(,)
A=concat()
A=concat(a)
A=concat(a, concat(b))
A=concat("a)", b)
A=concat("a, b)
A=concat(\n a,\n b # c\n)
A=concat(a, # c\n b)
A=concat(a=b, c)
A=concat(a=, c)
A=concat(a, b=c)
A=(a)
A=[a, b]
A=[a b]
A=[a, b] c
A=[a, b] # c
A=[a,\n b,\n]
A=[
A=[]
A=[,]
A=["a", 'b', 1, true]
A=[1, 2]
A=[true, false]
A=[1, a]
A=[[1], [2]]
A=[a]b
A=["a"b]
A={a=1}
A={a = 1, b="x"}
A={"a": 1}
A={"a": 1} # c
A={a: 1}
A={a=1} b
A={}
A={,}
A={a}
A={a={b=1}}
A={a=[1, 2]}
A={a=1 b=2}
// references
A=1\nB=$A
A=1\nB=${A}
A=1\nB="$A"
A=1\nB='$A'
A=1\nB="\\$A"
A=1\nB=\\$A
A=1\nB=\\\\$A
A=1\nB="\\\\$A"
A=1\nB=x$A-y
A=1\nB=$Ab
A=1\nB=${A}b
A=1\nB=$A.b
A.b=1\nB=${A.b}
A.b=1\nB=$A.b
A=1\nB=${A:-x}
A=\nB=${A:-x}
A=\nB=${A-x y}
A=\nB=${A:-}
A=\nB=${A:x}
A=\nB=${A:?x}
A=\nC=2\nB=${A:-$C}
A=\nB=${}
A=1\nB=${A
A=1\nB=$
A=1\nB=$$A
A=1\nB=$1
A=1\nB=$_
A=1\nB=$A$A
A=1\nB=undefined$A
A=1\nB=true$A
A=1\nB=[$A, ${A}]
A=1\nB=[${A:-x y}]
A=1\nB={a=$A}
A=1\nB=ref(A)
A=1\nB=ref("A")
A=1\nB=ref($A)
A=1\nB=ref(1)
B=$A
A=$A
A=$B\nB=$A
A=$(echo x)
A="x $(echo x)"
A='$(echo x)'
A="$(unclosed"
A="\\$(echo x)"
A=exec("echo x")
A=$VARLOCK_ENV
A=$VARLOCK_NOPE
// functions
A=1\nB=eq($A, 1)
A="1"\nB=eq($A, 1)
A=1\nB=eq($A, "1")
A=1\nC=$A\nB=eq($C, 1)
# @type=string\nA=1\nB=eq($A, 1)
# @type=number\nA="1"\nB=eq($A, 1)
# @type=boolean\nA=yes\nB=eq($A, true)
A=false\nB=if($A, x, y)
A="false"\nB=if($A, x, y)
A=0\nB=if($A, x, y)
A="0"\nB=if($A, x, y)
A=\nB=if($A, x, y)
A=""\nB=not($A)
A=x\nB=if($A)
A=x\nB=if($A, y)
A=\nB=if($A, y)
A=if()
A=if(true, 1, 2, 3)
A=ifs(true)
A=ifs(false, 1)
A=ifs(false, 1, 2)
A=fallback(a)
A=fallback("", undefined, 0)
A=isEmpty("")
A=isEmpty(0)
A=isEmpty()
A=not(a, b)
A=remap(a, a, 1)
A=remap(b, a, 1)
A=remap(b, a, 1, 2)
A=remap(a, a)
A=remap(abc, regex("b"), yes)
A=remap(abc, /B/i, yes)
A=remap(abc, "/b/", yes)
A=remap(a, yes=a, no=b)
A=remap(a, b, yes=a)
A=remap(undefined, undefined, x)
A=remap(1, "1", x, y)
A=regex("a")
A=if(true, regex("a"))
A=regex(a)
A=remap(a, regex("("), b)
A=remap(a, regex("a", "gg"), b)
A=remap(a, regex("/a/"), b)
A=remap(a, regex(1), b)
A=forEnv(test)
{}A=forEnv(test)
{}A=forEnv()
{}A=forEnv($APP_ENV)
{}A=forEnv("test", production)
A=nope()
A=randomNum()
A=concat(a, nope(b))
A=concat(a, [b])
A=concat(a, {b=c})
A=eq([a], [a])
// decorators
# @required\nA=1
# @required \nA=1
#@required\nA=1
#\t@required\nA=1
# @required # why\nA=1
# @required#why\nA=1
# @required why\nA=1
# @required why@not\nA=1
# @required=true @public\nA=1
# @required=true\t@public\nA=1
# @required,@public\nA=1
# @required;\nA=1
# @required()\nA=1
# @required=\nA=1
# @required =true\nA=1
# @required= true\nA=1
# @required=yes\nA=1
# @required="true"\nA=1
# @required=TRUE\nA=1
# @required=undefined\nA=
# @required @required\nA=1
# @required @optional\nA=1
# @sensitive @public\nA=abc
# @dynamic @static\nA=1
# @optional=false\nA=
# @optional=undefined\nA=
# @Required\nA=1
# @todo\nA=1
# @TODO: x\nA=1
# @todo x @required\nA=
# @note mail me@x.y\nA=1
# @see https://x.y\nA=1
# @ required\nA=1
# @1\nA=1
# @a.b\nA=1
# @é\nA=1
# words @required\nA=
A=1 # @required
A= # @required
A=1 # words @required
A=1 # ---
A=1 # @required # @optional
# @type\nA=1
# @type=\nA=1
# @type=nope\nA=1
# @type="string"\nA=1
# @type=string()\nA=1
# @type=string(\nA=1
# @type=string(minLength=1\n# )\nA=1
# @type=string(\n# minLength=1,\n# )\nA=1
# @type=string(\n#\n# minLength=1)\nA=1
# @type=string(minLength=1,\n)\nA=1
# @type=string(minLength=1, # why\n# maxLength=2)\nA=1
# @type=string( minLength=1 )\nA=1
# @type=string(minLength =1)\nA=1
# @type=string(minLength= 1)\nA=1
# @type=string(a)\nA=1
# @type=string(a, minLength=1)\nA=1
# @type=string(nope=1)\nA=1
# @type=string(minLength=x)\nA=1
# @type=string(minLength="2")\nA=abc
# @type=string(matches=/^a(b|c)$/)\nA=ab
# @type=string(matches=/^ab$/)\nA=ab
# @type=string(matches=regex("^a(b|c)$"))\nA=ab
# @type=string(matches=regex("^a$b"))\nA=ab
# @type=string(matches=regex('^a$b'))\nA=ab
# @type=string(matches=regex("^\\d{2}$"))\nA="12"
# @type=string(matches=regex("a\\$"))\nA="a$"
# @type=string(matches="^\\d+$")\nA="12"
# @type=string(matches="(")\nA="12"
# @type=string(matches=regex("(?i)a"))\nA=A
# @type=string(matches=regex("(?<n>a)\\k<n>"))\nA=aa
# @type=string(matches=regex("(?<!b)a"))\nA=a
# @type=string(matches=regex("[[:alpha:]]"))\nA=a
# @type=string(matches=regex("a{2,1}"))\nA=a
# @type=string(matches=regex("a**"))\nA=a
# @type=string(matches=regex("\\z"))\nA=z
# @type=string(matches=regex("a", "x"))\nA=a
# @type=string(matches=regex("\\u{61}", "u"))\nA=a
# @type=string(matches=regex("[b-a]"))\nA=a
# @type=string(matches=regex("]"))\nA="]"
# @type=string(matches=regex("a{,2}"))\nA="a{,2}"
# @type=string(matches=regex("^.$", "s"))\nA="\n"
# @type=string(matches=regex("\\bx\\b"))\nA="a x"
# @type=string(matches=regex("^\\s$"))\nA="\u00a0"
# @type=string(startsWith="a\\$")\nA="a\\$b"
# @type=enum\nA=1
# @type=enum()\nA=1
# @type=enum(a, b)\nA=a
# @type=enum(1, 2)\nA=1
# @type=enum(1, 2)\nA="1"
# @type=enum("1", 2)\nA=1
# @type=enum(true)\nA=yes
# @type=enum(a b)\nA=1
# @type=enum("a b", 'c')\nA="a b"
# @type=enum(a, a=b)\nA=a
# @type=enum(undefined)\nA=undefined
# @type=array\nA=5
# @type=array(number)\nA="1, 2"
# @type=array(nope)\nA=a
# @type=array(number, string)\nA=1
# @type=array(minLength=0)\nA=[]
# @type=array(nope=1)\nA=a
# @type=array(separator="")\nA=a
# @type=array(format=xml)\nA=a
# @type=array(minLength=x)\nA=a
# @type=array(enum(a, b))\nA=[a, b]
# @type=array(array(number))\nA=[[1], [2]]
# @type=record(valueType=string)\nA={a=1}
# @type=record(keyType=enum(a))\nA={b=1}
# @type=record(keyType=[a])\nA={b=1}
# @type=simple-object\nA={a=1}
# @type=simple-object(a)\nA={a=1}
# @type=port\nA=80.0
# @type=port\nA="80.0"
# @type=duration(output=years)\nA=1
# @type=duration(min=x)\nA=1
# @type=ip(version="6")\nA="1.2.3.4"
# @type=if(true, url, string)\nA=x
# @type=$B\nA=x\nB=string
# @example\nA=1
# @example=a b\nA=1
# @example=$NOPE\nA=1
# @example="a
# @docs\nA=1
# @docs=x\nA=1
# @docs()\nA=1
# @docs(a, b, c)\nA=1
# @docs(https://a.b/c#d)\nA=1
# @docs(a) @docs(b)\nA=1
# @docs(a b)\nA=1
# @docs(f=1)\nA=1
# @docs(f=1, a)\nA=1
# @docsUrl=https://a.b\nA=1
# @tag\nA=1
# @tag(a-b, _c)\nA=1
# @tag("a b")\nA=1
# @tag(1)\nA=1
# @deprecated="x" @internal @auditIgnore @icon=x @placeholder=y\nA=1
# @placeholder\nA=1
# @proxy=omit\nA=1
# @proxy=nope\nA=1
# @sensitive={enabled=false}\nA=1
# @sensitive={nope=1}\nA=abc
# @sensitive={enabled=1}\nA=abc
# @sensitive=[a]\nA=abc
# @sensitive\nA=1
# @sensitive\nA=true
# @sensitive @type=number\nA=
# @sensitive @type=port\nA=
# @sensitive\nA=ab
# @sensitive\nA=abc
# @sensitive @type=array\nA="a,b"
# @sensitive @type=array(number)\nA="1,2"
{}# @sensitive=forEnv(test)\nB=ab
{}# @required=forEnv(test)\nB=
{}# @required=if(forEnv(test), true)\nB=
{}# @required=eq($APP_ENV, test)\nB=
{}# @required=if(eq($APP_ENV, "test"), false, true)\nB=
{}# @optional=forEnv(test)\nB=
{}# @public=forEnv(test)\nB=ab
{}# @required=$C\nB=\nC=true
{}# @required=$C\nB=\nC=x
{}# @required=not($C)\nB=\nC=
{}# @type=string(matches=if(forEnv(production), regex("^p"), regex("^d")))\nB=dx
{}# @type=string(minLength=if(forEnv(production), 3, 1))\nB=dx
{}# @type=string(startsWith=$C)\nB=dx\nC=d
{}# @type=string(startsWith=$B)\nB=dx
// header
# @defaultRequired=false\n\nA=
# @defaultRequired=false\nA=
# @defaultRequired=false\n# ---\nA=
# @defaultRequired\n# ---\nA=
# @defaultRequired=maybe\n# ---\nA=
# @defaultRequired=infer\n# ---\nA=\nB=1\nC=""\nD=[]
# @defaultRequired=false @defaultRequired=true\n# ---\nA=
# @defaultRequired=false\n\n# @defaultRequired=true\n\nA=
# @defaultSensitive=false\n# ---\nA=1
# @defaultSensitive=inferFromPrefix(A)\n# ---\nA=1\nB=2
# @defaultSensitive=inferFromPrefix(A, B)\n# ---\nA=1
# @defaultSensitive=inferFromPrefix()\n# ---\nA=1
# @defaultSensitive=inferFromPrefix(1)\n# ---\nA=1
# @defaultSensitive=if(true, true)\n# ---\nA=1
# @currentEnv=$A\n# ---\nA=1
# @currentEnv=${A}\n# ---\nA=1
# @currentEnv="$A"\n# ---\nA=1
# @currentEnv=A\n# ---\nA=1
# @currentEnv=$B\n# ---\nA=1
# @currentEnv=$A$A\n# ---\nA=1
# @envFlag=A\n# ---\nA=1
# @envFlag=B\n# ---\nA=1
# @envFlag=A @currentEnv=$A\n# ---\nA=1
# @currentEnv=$A\n# ---\n# @sensitive\nA=abc
# @required\n# ---\nA=1
# @nope\n# ---\nA=1
# @todo\n# ---\nA=1
# @disable\n# ---\nA=1
# @disable=false\n# ---\nA=1
# @disable=x\n# ---\nA=1
# @cache=memory\n# ---\nA=1
# @cache=x\n# ---\nA=1
# @redactLogs=false @preventLeaks\n# ---\nA=1
# @redactLogs=$B\n# ---\nA=1
# @disableProcessEnvInjection=x\n# ---\nA=1
# @auditIgnorePaths(a, b)\n# ---\nA=1
# @auditIgnorePaths=a\n# ---\nA=1
# @generateTypes(lang=ts, path=x)\n# ---\nA=1
# @generateNope(x)\n# ---\nA=1
# @defaultDynamic=x\n# ---\nA=1
A=1\n\n# @required\n\nB=2
A=1\n# @required\n\nB=2
A=1\n# @todo\n\nB=2
A=1\n# @required
A=1\n# @defaultRequired=false\nB=
A=1\n# @required\n# ---\nB=2
A=1\nA=2
`
